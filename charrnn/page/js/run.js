"use strict";

/** The section "The run": how the models of the page were trained, and what they wrote meanwhile. */
charrnn.run = (() => {
  const { Chart, html, look, row, swatch, table } = charrnn.charts;
  const UNITS = [
    [3600, "hours"],
    [60, "minutes"],
    [1, "seconds"],
  ];
  const LEAST_UNITS = 3; // a unit of time is taken where the longest run has so many of them
  const AGAINST = { time: "time", passes: "passes over the text" };
  const runs = charrnn.data.runs ?? [];
  const many = runs.length > 1;

  const number = (value, digits) =>
    value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const short = (value) =>
    Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
  const loss = (nats) => `${number(nats, 3)} nats (${number(nats / Math.LN2, 2)} bits)`;
  const passes = (value) => `${short(value)} ${value === 1 ? "pass" : "passes"}`;
  const steps = (value) => `${number(value, 0)} ${value === 1 ? "step" : "steps"}`;

  /** Seconds in the unit that suits them. */
  function duration(seconds) {
    const [size, unit] = unitOf(seconds);
    return amount(seconds / size, unit);
  }

  /** So many of a unit, which stands in the singular for one. */
  function amount(value, unit) {
    const shown = short(value);
    return `${shown} ${shown === "1" ? unit.slice(0, -1) : unit}`;
  }

  function unitOf(seconds) {
    return UNITS.find(([size]) => seconds >= LEAST_UNITS * size) ?? UNITS[UNITS.length - 1];
  }

  // -- What was trained, on what ----------------------------------------------------------

  function textOf({ text }) {
    if (text.name === null) return "not known";
    return `${text.name}, ${number(text.characters, 0)} characters`;
  }

  function lowest(run) {
    return run.best_loss_nats === null ? "none" : loss(run.best_loss_nats);
  }

  /** What was trained and on what: a list for one run, a table for several. */
  function facts() {
    return many ? comparison() : list(runs[0]);
  }

  function list(run) {
    const made = html("dl", "facts");
    const entries = [
      ["Network", run.network],
      ["Text", textOf(run)],
      ["Its fingerprint", run.text.fingerprint && `SHA-256 ${run.text.fingerprint}`],
      [
        "Training",
        `${steps(run.step)}, ${passes(run.epoch)} over the text, ${duration(run.elapsed_seconds)}`,
      ],
      ["Lowest validation loss", lowest(run) === "none" ? null : `${lowest(run)} per character`],
    ];
    for (const [name, value] of entries) {
      if (value) made.append(html("dt", "", name), described(value));
    }
    return made;
  }

  function described(value) {
    const made = html("dd", "", value);
    made.dir = "auto";
    return made;
  }

  function comparison() {
    const body = html("tbody");
    runs.forEach((run, place) => {
      const cells = row("td", [
        "",
        run.network,
        textOf(run),
        `${passes(run.epoch)}, ${duration(run.elapsed_seconds)}`,
        lowest(run),
      ]);
      cells.firstChild.append(swatch(look(place, false)), named(run.name));
      body.append(cells);
    });
    const scroll = html("div", "scroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "The runs compared");
    scroll.append(table(["Run", "Network", "Text", "Training", "Lowest validation loss"], body));
    return scroll;
  }

  /** A run's name, whichever way its script runs. */
  function named(name) {
    return html("bdi", "", name);
  }

  /** The warnings, where curves show that a network learns its text by heart. */
  function warnings() {
    return runs
      .filter((run) => run.advice)
      .map((run) => {
        const made = html("p", "advice");
        made.append(
          html("strong", "", "Over-fitting"),
          many ? " in " : "",
          many ? named(run.name) : "",
          `: ${run.advice}`,
        );
        made.setAttribute("role", "note");
        return made;
      });
  }

  // -- Curves ------------------------------------------------------------------------------

  class Curves {
    constructor() {
      this.drawn = runs.map((run, place) => ({ run, place })).filter(({ run }) => run.curves);
      this.unit = unitOf(
        Math.max(1, ...this.drawn.map(({ run }) => Math.max(...run.curves.elapsed_seconds))),
      );
      this.charts = [
        ["Loss in nats per character", 320, loss, (at) => this.losses(at)],
        ["Learning rate", 190, short, (at) => this.column(at, "learning_rate")],
        ["Gradient norm", 190, short, (at) => this.column(at, "gradient_norm")],
      ].map(([title, height, tell, lines]) => ({
        lines,
        chart: new Chart({ title, height, tell }),
      }));
    }

    /** The switch, the legend and the charts. */
    get elements() {
      const [first, ...others] = this.charts.map(({ chart }) => chart.element);
      const pair = html("div", "charts");
      pair.append(...others);
      return [this.choice(), this.legend(), first, pair];
    }

    choice() {
      const made = html("fieldset", "switch");
      made.append(html("legend", "", "Against"));
      for (const [value, text] of Object.entries(AGAINST)) {
        const label = html("label"),
          input = html("input");
        Object.assign(input, { type: "radio", name: "against", value, checked: value === "time" });
        input.addEventListener("change", () => this.show(value));
        label.append(input, html("span", "", text));
        made.append(label);
      }
      return made;
    }

    legend() {
      const made = html("ul", "legend");
      const entry = (style, name) => {
        const item = html("li");
        item.append(swatch(style), named(name));
        made.append(item);
      };
      if (many) {
        for (const { run, place } of this.drawn) entry(look(place, false), run.name);
        entry({ className: "series neutral dashed", marker: null }, "training loss (dashed)");
      } else {
        entry(look(0, false), "validation loss");
        entry(look(1, true), "training loss");
      }
      return made;
    }

    show(against) {
      const [size, unit] = this.unit,
        byTime = against === "time";
      const at = (run) =>
        byTime
          ? run.curves.elapsed_seconds.map((value) => value && value / size)
          : run.curves.epoch;
      const say = byTime ? (x) => amount(x, unit) : passes;
      for (const { lines, chart } of this.charts)
        chart.show(lines(at), byTime ? `${unit} of training` : AGAINST.passes, say);
    }

    losses(at) {
      return this.drawn.flatMap(({ run, place }) => {
        const who = many ? `${run.name}, ` : "";
        return [
          {
            name: `${who}training`,
            look: look(many ? place : 1, true),
            points: points(at(run), run.curves.train_loss_nats),
          },
          {
            name: `${who}validation`,
            look: look(place, false),
            points: points(at(run), run.curves.val_loss_nats),
          },
        ];
      });
    }

    column(at, name) {
      return this.drawn.map(({ run, place }) => ({
        name: many ? run.name : "",
        look: look(place, false),
        points: points(at(run), run.curves[name]),
      }));
    }
  }

  function points(xs, ys) {
    return xs
      .map((x, place) => ({ x, y: ys[place] }))
      .filter(({ x, y }) => x !== null && y !== null);
  }

  // -- Samples -----------------------------------------------------------------------------

  /** What a run wrote as training went on: a slider goes through it. */
  class Samples {
    constructor() {
      this.runs = runs.filter((run) => run.samples.length);
      this.text = html("div", "sheet sample");
      this.text.dir = "auto";
      this.text.tabIndex = 0;
      this.text.setAttribute("role", "region");
      this.text.setAttribute("aria-label", "The sample");
      this.slider = html("input");
      Object.assign(this.slider, { type: "range", id: "sample", min: 0, step: 1 });
      this.step = html("output");
      this.step.htmlFor = "sample";
      this.slider.addEventListener("input", () => this.show());
    }

    get elements() {
      const label = html("label", "", "After ");
      label.htmlFor = "sample";
      label.append(this.step);
      const field = html("div", "field");
      field.append(label, this.slider);
      const kept = this.runs.map((run) => run.samples_kept - run.samples.length).some(Boolean);
      const note = html(
        "p",
        "note",
        kept ? "Of many samples, some at equal distances are shown." : "",
      );
      return [
        html("h3", "", "What it wrote as training went on"),
        ...this.choice(),
        field,
        this.text,
        note,
      ];
    }

    /** Which run's samples, where there are several. */
    choice() {
      this.of = this.runs[0];
      if (this.runs.length < 2) return [];
      const field = html("div", "field"),
        label = html("label", "", "Run"),
        select = html("select");
      label.htmlFor = select.id = "sample-run";
      for (const [place, run] of this.runs.entries()) select.append(new Option(run.name, place));
      select.addEventListener("change", () => {
        this.of = this.runs[select.value];
        this.start();
      });
      field.append(label, select);
      return [field];
    }

    /** Begin with the last sample, which is the best informed. */
    start() {
      this.slider.max = this.of.samples.length - 1;
      this.slider.value = this.slider.max;
      this.slider.disabled = this.of.samples.length === 1;
      this.show();
    }

    show() {
      const sample = this.of.samples[Number(this.slider.value)];
      this.step.textContent = `${steps(sample.step)}, ${passes(sample.epoch)} over the text`;
      this.slider.setAttribute("aria-valuetext", this.step.textContent);
      this.text.textContent = sample.text;
    }
  }

  // -- The section -------------------------------------------------------------------------

  /** Unhide the section at once, and fill it when the model has begun to write. */
  function show() {
    if (!runs.length) return;
    const section = document.getElementById("run"),
      name = many ? "The runs" : "The run";
    document.querySelector('nav a[href="#run"]').textContent = name;
    section.setAttribute("aria-label", name);
    section.hidden = false;
    setTimeout(() => fill(section, name));
  }

  function fill(section, name) {
    section.append(html("h2", "", name), ...warnings(), facts());
    showCurves(section);
    showSamples(section);
  }

  function showCurves(section) {
    const curves = new Curves();
    if (!curves.drawn.length) {
      section.append(html("p", "note", "There are no curves: nothing has been evaluated yet."));
      return;
    }
    section.append(...curves.elements);
    curves.show("time");
  }

  function showSamples(section) {
    const samples = new Samples();
    if (!samples.runs.length) return;
    section.append(...samples.elements);
    samples.start();
  }

  document.addEventListener("charrnn:ready", show);
  return { show };
})();
