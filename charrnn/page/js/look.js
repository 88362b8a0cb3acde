"use strict";

/** "Look inside": what the network thought of each character of a text, and what it remembered. */
charrnn.look = (() => {
  const SLICE_MS = 12; // of reading before the browser has its turn
  const PATIENCE_MS = { written: 500, pasted: 250, given: 0 }; // until a text that changes is read
  const REST_MS = 120; // on a character until places like it are looked for
  const PLACES = 5;
  const AROUND = 18; // characters shown before and after such a place
  const LEVELS = { surprise: 8, unit: 5, gate: 8 }; // of colour
  const STATES = { h: "hidden state", c: "cell state", y: "output" };
  const GATES = {
    i: "input gate", f: "forget gate", o: "output gate", z: "update gate", r: "reset gate",
  };
  const SIGNS = { " ": "␣", "\n": "↵", "\t": "⇥" };
  const NAMES = { " ": "space", "\n": "line end", "\t": "tab" };
  const { vocabulary } = charrnn;
  const byId = (id) => document.getElementById(id);
  const count = (number) => number.toLocaleString("en");

  /** An element with attributes, properties of its style that begin with --, and children. */
  function made(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("--")) element.style.setProperty(key, value);
      else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }

  /** A number with a true minus sign. */
  const signed = (value) => value.toFixed(2).replace("-", "−");

  /** A probability as a person reads it. */
  function percent(chance) {
    if (chance < 0.001) return "< 0.1 %";
    return `${(100 * chance).toFixed(chance < 0.1 ? 1 : 0)} %`;
  }

  /** A character as it can be seen alone. */
  const seen = (symbol) => SIGNS[symbol] ?? (/\p{M}/u.test(symbol) ? `◌${symbol}` : symbol);

  /** The character of an id: at byte level a byte, of which only some are characters. */
  function symbolOf(id) {
    const symbol = vocabulary.symbols[id] ?? "�";
    if (!vocabulary.byteLevel || symbol < "\x7f") return symbol;
    return `byte ${symbol.charCodeAt(0).toString(16).toUpperCase()}`;
  }

  /** "hidden state h of layer 2" from "2/h". */
  function part(name, words) {
    const [layer, letter] = name.split("/");
    return `${words[letter] ? `${words[letter]} ` : ""}${letter} of layer ${layer}`;
  }

  class Panel {
    constructor(network) {
      const { look, text } = charrnn.data;
      this.reading = new charrnn.reading.Reading(network, look.gates);
      this.form = byId("look-controls");
      this.texts = { written: "", pasted: "", given: text ?? "" };
      /** The part of the state that the prediction is made from: the last layer's. */
      this.last = Object.keys(network.state).filter((name) => name.endsWith(`/${this.outputPart(network)}`)).pop();
      this.characters = new charrnn.characters.Characters(byId("characters"), {
        look: (number) => this.show(number ?? this.chosen),
        choose: (number) => this.select(number),
      });
      this.chosen = this.shown = null;
      this.visible = false;
      this.choices(network, look);
      this.listen(text);
      this.turn();
    }

    /** The first part of a layer's state, which is what the layer passes on. */
    outputPart(network) {
      return Object.keys(network.state)[0].split("/")[1];
    }

    choices(network, look) {
      for (const name of Object.keys(network.state)) {
        byId("unit-state").append(made("option", { value: name }, part(name, STATES)));
      }
      for (const { layer, name } of look.gates) {
        const place = `${layer}/${name}`;
        byId("gate").append(made("option", { value: place }, part(place, GATES)));
      }
      this.radio("view", "gate").parentElement.hidden = !look.gates.length;
      byId("equations").hidden = !look.equations;
      byId("equations").querySelector("pre").textContent = look.equations;
      byId("units").append(...this.unitList(look));
      if (look.units.length) this.pick(look.units[0]);
    }

    radio(name, value) {
      return this.form.querySelector(`[name=${name}][value=${value}]`);
    }

    listen(text) {
      this.radio("source", "given").parentElement.hidden = !text;
      document.addEventListener("charrnn:text", ({ detail }) => this.bring("written", detail.text));
      byId("pasted").addEventListener("input", (event) => this.bring("pasted", event.target.value));
      this.form.addEventListener("submit", (event) => event.preventDefault());
      this.form.addEventListener("change", (event) => {
        if (event.target.name === "source") this.bring(this.source, this.texts[this.source], 0);
        this.turn();
      });
      this.form.addEventListener("input", () => this.turn());
      new IntersectionObserver(([{ isIntersecting }]) => {
        this.visible = isIntersecting;
        if (isIntersecting && this.waiting) this.begin();
      }, { rootMargin: "200px" }).observe(byId("look"));
    }

    get source() {
      return this.form.elements.source.value;
    }

    get view() {
      return this.form.elements.view.value;
    }

    /** Take up a text, and read it when it has not changed for a moment. */
    bring(source, text, patience = PATIENCE_MS[source]) {
      this.texts[source] = text;
      if (source !== this.source) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => {
        this.waiting = true;
        if (this.visible) this.begin();
      }, patience);
    }

    begin() {
      this.waiting = false;
      const before = this.reading.characters, { reading } = this;
      reading.begin(this.texts[this.source]);
      const after = reading.characters;
      let same = 0;
      while (same < Math.min(before.length, after.length) && before[same].symbol === after[same].symbol) same++;
      this.characters.keep(charrnn.data.backward ? 0 : same);
      if (this.chosen !== null && this.chosen >= this.characters.spans.length) this.select(null);
      this.round = (this.round ?? 0) + 1;
      this.slice(this.round);
    }

    /** Read for a moment. */
    slice(round) {
      if (round !== this.round) return;
      const done = this.reading.advance(performance.now() + SLICE_MS);
      this.extend(done);
      byId("characters").setAttribute("aria-busy", String(!done));
      if (!done) setTimeout(() => this.slice(round));
    }

    /** Show what has been read meanwhile. */
    extend(done) {
      const { reading, characters } = this, [, last] = reading.read;
      const from = characters.spans.length;
      if (done || !charrnn.data.backward) {
        characters.extend(reading.characters.slice(from, last).map(({ symbol }) => symbol));
        characters.paint(this.painter(), done ? 0 : from);
      }
      if (done) this.finish();
      else byId("summary").textContent = `Reading: ${count(reading.position)} of ${count(reading.ids.length)}`;
    }

    finish() {
      byId("summary").textContent = this.summary();
      this.scale();
      if (this.source === "pasted") this.tell(this.summary());
      this.show(this.chosen);
      document.dispatchEvent(new CustomEvent("charrnn:read"));
    }

    summary() {
      const { reading } = this, number = reading.characters.length;
      if (!number) return this.source === "written" ? "Nothing is written yet." : "";
      let bits = 0;
      for (let each = 0; each < number; each++) bits += reading.surprise(each);
      const mean = bits / number;
      return [
        `${count(number)} character${number > 1 ? "s" : ""}, ${mean.toFixed(2)} bits per character:`,
        `as unsure as with ${(2 ** mean).toFixed(1)} equally likely characters each time.`,
        this.strangers(), this.cut(),
      ].filter(Boolean).join(" ");
    }

    strangers() {
      const unknown = this.reading.ids.filter((id) => id === vocabulary.unknown).length;
      return unknown ? `${count(unknown)} of them the network has never seen.` : "";
    }

    cut() {
      const { total, characters } = this.reading, end = charrnn.data.backward ? "last" : "first";
      if (total === characters.length) return "";
      return `Only the ${end} ${count(characters.length)} of ${count(total)} are read, so that the page stays quick.`;
    }

    /** Turn to another view of the same text. */
    turn() {
      for (const each of this.form.querySelectorAll(".view")) each.hidden = each.dataset.view !== this.view;
      byId("pasted").hidden = this.source !== "pasted";
      const width = (name) => this.reading.parts[name]?.[1] ?? 1;
      byId("unit").max = width(byId("unit-state").value) - 1;
      byId("gate-unit").max = width(byId("gate").value) - 1;
      for (const button of byId("units").querySelectorAll("button")) {
        const pressed = button.value === `${byId("unit-state").value} ${byId("unit").value}`;
        button.setAttribute("aria-pressed", String(pressed));
      }
      this.measure();
      this.characters.paint(this.painter());
      this.scale();
      this.show(this.shown);
    }

    /** The number that a field holds within its limits, or null where it is empty. */
    number(id) {
      const field = byId(id);
      return field.value === "" || !field.validity.valid ? null : Number(field.value);
    }

    /** What the view shows of a character. */
    value(number) {
      const { reading } = this;
      if (this.view === "surprise") return reading.surprise(number);
      if (this.view === "unit") return reading.after(byId("unit-state").value, number)[this.number("unit") ?? 0];
      return this.openness(byId("gate").value, number, this.number("gate-unit"));
    }

    /** How far a gate is open after a character: that of a unit, or the mean of all. */
    openness(name, number, unit) {
      const values = this.reading.after(name, number);
      if (unit !== null) return values[unit];
      return values.reduce((sum, each) => sum + each, 0) / values.length;
    }

    /** The largest value of the unit, which has the strongest colour. */
    measure() {
      const [first, last] = this.reading.read;
      this.largest = 0;
      for (let each = first; this.view === "unit" && each < last; each++) {
        this.largest = Math.max(this.largest, Math.abs(this.value(each)));
      }
    }

    /** From a character's number to the class that gives it its colour. */
    painter() {
      this.measure();
      const { view } = this, levels = LEVELS[view], largest = this.largest || 1;
      return (number) => {
        const value = this.value(number);
        if (view === "surprise") return `s${Math.min(levels, Math.round(value))}`;
        if (view === "gate") return `g${Math.round(levels * value)}`;
        const level = Math.round(levels * value / largest);
        return level ? `${level > 0 ? "p" : "n"}${Math.abs(level)}` : "";
      };
    }

    /** The key to the colours. */
    scale() {
      const swatch = (style, label) => made("span", { class: style }, label);
      const { view, largest } = this, levels = LEVELS[view];
      const steps = Array.from({ length: levels + 1 }, (_, level) => level);
      const key = {
        surprise: () => ["expected ", ...steps.map((each) => swatch(`s${each}`, `${each}${each === levels ? "+" : ""}`)), " bits: unexpected"],
        gate: () => ["closed ", ...steps.map((each) => swatch(`g${each}`, `${each / levels}`.replace(/^0\./, "."))), " open"],
        unit: () => [
          `${signed(-largest)} `,
          ...steps.slice(1).reverse().map((each) => swatch(`n${each}`, " − ")), swatch("", " 0 "),
          ...steps.slice(1).map((each) => swatch(`p${each}`, " + ")), ` ${signed(largest)}`,
        ],
      };
      byId("scale").replaceChildren(...key[view]());
    }

    /** Stay at a character. */
    select(number) {
      this.chosen = number;
      this.show(number);
      if (number !== null) this.tell(this.spoken(number));
    }

    /** Say something to those who listen to the page. */
    tell(words) {
      byId("told").textContent = words;
    }

    spoken(number) {
      const { reading } = this;
      const named = (symbol) => NAMES[symbol] ?? symbol;
      const guesses = reading.likeliest(number).map(({ id, chance }) => `${named(symbolOf(id))} ${percent(chance)}`);
      const bits = reading.surprise(number);
      const also = this.view === "surprise" ? "" : ` ${this.caption()}: ${signed(this.value(number))}.`;
      return `${named(reading.characters[number].symbol)}: ${bits.toFixed(1)} bits.${also} Likeliest were ${guesses.join(", ")}.`;
    }

    /** What the view shows, in words. */
    caption() {
      if (this.view === "unit") return `Unit ${this.number("unit") ?? 0} in ${part(byId("unit-state").value, STATES)}`;
      const unit = this.number("gate-unit");
      return `${part(byId("gate").value, GATES)}, ${unit === null ? "mean of all units" : `unit ${unit}`}`;
    }

    /** Show a character beside the text. */
    show(number) {
      clearTimeout(this.rest);
      const [first, last] = this.reading.read;
      const there = number !== null && number >= first && number < last && number < this.characters.spans.length;
      this.shown = there ? number : null;
      byId("character").replaceChildren(...(there ? this.card(number) : [this.invitation()]));
      if (there) this.rest = setTimeout(() => this.findPlaces(number), REST_MS);
    }

    invitation() {
      return made("p", { class: "note" }, "Choose a character of the text: here you will see what the network expected in its place, and where else in the text its memory was much the same.");
    }

    card(number) {
      const { symbol } = this.reading.characters[number];
      const nodes = [
        made("p", { class: "glyph", dir: "auto" }, seen(symbol)),
        made("p", { class: "note" }, `${NAMES[symbol] ? `${NAMES[symbol]}, ` : ""}character ${count(number + 1)} of ${count(this.reading.characters.length)}`),
        this.verdict(number),
      ];
      if (this.view !== "surprise") nodes.push(this.reading_(number));
      nodes.push(made("h3", {}, this.firstByte(number) ? "Likeliest first bytes in its place" : "Likeliest in its place"), this.guesses(number));
      if (this.view === "gate") nodes.push(made("h3", {}, "Gates after it, mean of all units"), this.gates(number));
      nodes.push(made("h3", {}, "Places with a similar state"), made("div", { id: "places" }, made("p", { class: "note" }, "…")));
      return nodes;
    }

    firstByte(number) {
      return vocabulary.byteLevel && this.reading.rows(number)[0] !== this.reading.rows(number)[1];
    }

    verdict(number) {
      const bits = this.reading.surprise(number), chance = 2 ** -bits;
      const odds = chance < 0.05 ? `, one in ${count(Math.round(1 / chance))}` : "";
      return made("p", {}, made("strong", {}, `${bits.toFixed(2)} bits`), ` of surprise: the network gave it a chance of ${percent(chance)}${odds}.`);
    }

    reading_(number) {
      return made("p", {}, `${this.caption()}, after it: `, made("strong", {}, signed(this.value(number))));
    }

    guesses(number) {
      const { reading } = this, id = reading.ids[reading.rows(number)[0]];
      const list = reading.likeliest(number).map((guess) => ({ ...guess, came: guess.id === id }));
      if (!list.some(({ came }) => came)) list.push({ id, chance: 2 ** -reading.bits[reading.rows(number)[0]], came: true });
      return made("ol", { class: "bars" }, ...list.map(({ id: each, chance, came }) => {
        const mark = came ? made("span", { class: "came" }, "came") : "";
        return this.bar(seen(symbolOf(each)), chance, percent(chance), mark);
      }));
    }

    gates(number) {
      return made("ul", { class: "bars wide" }, ...charrnn.data.look.gates.map(({ layer, name }) => {
        const open = this.openness(`${layer}/${name}`, number, null);
        return this.bar(part(`${layer}/${name}`, GATES), open, open.toFixed(2), "");
      }));
    }

    bar(label, share, value, mark) {
      return made("li", {}, made("span", { class: "label", dir: "auto" }, label),
        made("span", { class: "bar", "--share": `${100 * share}%` }), made("span", { class: "number" }, value), mark);
    }

    findPlaces(number) {
      const found = charrnn.similar.nearest(this.reading, this.last, number, PLACES);
      byId("places")?.replaceChildren(...(found.length ? [
        made("p", { class: "note" }, "Here the memory was most like what it is after this character (1: the same)."),
        made("ul", { class: "places" }, ...found.map((each) => made("li", {}, this.place(each)))),
      ] : [made("p", { class: "note" }, "The text is too short to compare.")]));
    }

    place({ number, likeness }) {
      const symbols = this.reading.characters.map(({ symbol }) => (symbol === "\n" ? "↵" : symbol));
      const text = (from, to) => symbols.slice(Math.max(0, from), to).join("");
      const button = made("button", { type: "button", title: "go there" },
        made("span", { class: "context", dir: "auto" }, text(number - AROUND, number), made("mark", {}, text(number, number + 1)), text(number + 1, number + 1 + AROUND / 2)),
        made("span", { class: "number" }, likeness.toFixed(2)));
      button.addEventListener("click", () => this.characters.go(number));
      return button;
    }

    /** The units worth looking at, by what they follow; or why there are none. */
    unitList({ units, measured, length, features }) {
      const sample = { validation: "the run’s validation text", text: "the text in this page" }[measured];
      if (!measured) {
        return [made("p", { class: "note" }, "Which units are worth looking at is measured on at least 1,000 characters: neither the run’s own text nor another was at hand when this page was made.")];
      }
      const followed = features.filter((feature) => units.some((unit) => unit.feature === feature));
      const missed = features.filter((feature) => !followed.includes(feature));
      return [
        ...followed.map((feature) => this.unitGroup(feature, units.filter((unit) => unit.feature === feature))),
        made("p", { class: "note" }, [
          units.length ? `↗ rises with it, ↘ falls; the number is the correlation, and 1 would be a perfect match. Measured on ${count(length)} characters of ${sample}.`
            : `Measured on ${count(length)} characters of ${sample}: nothing found.`,
          missed.length ? ` No unit closely follows: ${missed.join(", ")}.` : "",
        ].join("")),
      ];
    }

    unitGroup(feature, units) {
      return made("div", { class: "group", role: "group", "aria-label": feature }, made("h3", {}, feature), ...units.map((unit) => {
        const { state, strength } = unit, [layer, letter] = state.split("/");
        const button = made("button", {
          type: "button", value: `${state} ${unit.unit}`,
          "aria-label": `unit ${unit.unit} in ${part(state, STATES)}, ${strength > 0 ? "rises" : "falls"}, correlation ${signed(strength)}`,
        }, `${letter} ${unit.unit}`, made("small", {}, ` layer ${layer} `), `${strength > 0 ? "↗" : "↘"} ${Math.abs(strength).toFixed(2)}`);
        button.addEventListener("click", () => {
          this.pick(unit);
          this.turn();
        });
        return button;
      }));
    }

    pick({ state, unit }) {
      byId("unit-state").value = state;
      byId("unit").value = unit;
    }
  }

  document.addEventListener("charrnn:ready", () => {
    if (!charrnn.data.look) return;
    byId("look").hidden = false;
    document.querySelector("nav [href='#look']").hidden = false;
    charrnn.panel = new Panel(charrnn.model.twin());
  });

  return { Panel };
})();
