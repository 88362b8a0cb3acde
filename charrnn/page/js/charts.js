"use strict";

/** Line charts in SVG, which can be read by eye, by pointer, by keyboard and as a table. */
charrnn.charts = (() => {
  // The browser knows the name of SVG's elements; written here, it would be an address in the page.
  const SVG = new DOMParser()
    .parseFromString("<svg></svg>", "text/html")
    .querySelector("svg").namespaceURI;
  const MARGIN = { top: 12, right: 14, bottom: 44, left: 52 };
  const TICK_PX = { x: 60, y: 42 }; // the least distance of two ticks
  const MARKER_PX = 46; // the least distance of two markers of a line
  const PADDING = 0.05; // above and below the values, as a share of their range
  const COLOURS = 4; // of the style sheet, --series-1 and so on
  const AROUND_ONE = 1.5; // axes end at so many times the values of a single evaluation
  const R = 4;

  /** A marker's outline around a point; each run has another one, so that colour alone says nothing. */
  const MARKERS = [
    (x, y) => `M${x - R},${y}a${R},${R} 0 1,0 ${2 * R},0a${R},${R} 0 1,0 ${-2 * R},0`,
    (x, y) => `M${x - R},${y - R}h${2 * R}v${2 * R}h${-2 * R}z`,
    (x, y) => `M${x},${y - R - 1}l${R + 1},${2 * R}h${-2 * R - 2}z`,
    (x, y) => `M${x},${y - R - 1}l${R + 1},${R + 1}l${-R - 1},${R + 1}l${-R - 1},${-R - 1}z`,
    (x, y) => `M${x},${y + R + 1}l${R + 1},${-2 * R}h${-2 * R - 2}z`,
    (x, y) => `M${x - R},${y - R}l${2 * R},${2 * R}m0,${-2 * R}l${-2 * R},${2 * R}`,
  ];

  function element(name, attributes = {}, text = "") {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return made;
  }

  function html(name, className = "", text = "") {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text) made.textContent = text;
    return made;
  }

  /** Round numbers from low to high, at most so many steps apart: 1, 2 or 5 times a power of ten. */
  function ticks(low, high, most) {
    const rough = (high - low) / Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999);
    const first = Math.ceil(low / step - 1e-9),
      last = Math.floor(high / step + 1e-9);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    return Array.from({ length: last - first + 1 }, (_, n) => {
      const value = (first + n) * step;
      return {
        value,
        label: value.toLocaleString("en", {
          minimumFractionDigits: digits,
          maximumFractionDigits: digits,
        }),
      };
    });
  }

  /** The lowest and the highest of the numbers, never the same. */
  function extent(values) {
    let low = Infinity,
      high = -Infinity;
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    if (low === high) return [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
    return [low, high];
  }

  /** How a line looks: the colour and marker of its run; without a marker it is dashed. */
  function look(number, dashed) {
    return {
      className: `series series-${(number % COLOURS) + 1}${dashed ? " dashed" : ""}`,
      marker: dashed ? null : MARKERS[number % MARKERS.length],
    };
  }

  /** A sample of a line, for a legend. */
  function swatch({ className, marker }) {
    const made = element("svg", {
      width: 34,
      height: 14,
      viewBox: "0 0 34 14",
      "aria-hidden": "true",
    });
    made.append(element("path", { class: className, d: "M1,7H33" }));
    if (marker) made.append(element("path", { class: `${className} marker`, d: marker(17, 7) }));
    return made;
  }

  /**
   * A chart. Its lines have a `name`, a `look`, and `points` from left to right, each with numbers
   * `x` and `y`; `say(x)` and `tell(y)` write such numbers in words.
   */
  class Chart {
    constructor({ title, yLabel, height, tell }) {
      Object.assign(this, { title, yLabel, height, tell });
      this.lines = [];
      this.chosen = null;
      this.element = html("figure", "chart");
      this.element.append(html("figcaption", "", title));
      this.frame = html("div", "frame");
      this.frame.tabIndex = 0;
      this.frame.setAttribute("role", "group");
      this.frame.setAttribute("aria-roledescription", "chart");
      this.readout = html("p", "note readout");
      this.readout.setAttribute("role", "status");
      this.element.append(this.frame, this.readout, this.numbers());
      this.listen();
    }

    /** The table with all numbers, made when somebody opens it. */
    numbers() {
      this.details = html("details");
      this.details.append(html("summary", "", "The numbers"));
      this.details.addEventListener("toggle", () => this.fill());
      return this.details;
    }

    listen() {
      const leave = () => this.choose(null);
      this.frame.addEventListener("pointermove", (event) => this.point(event));
      this.frame.addEventListener("pointerdown", (event) => this.point(event));
      this.frame.addEventListener("pointerleave", leave);
      this.frame.addEventListener("blur", leave);
      this.frame.addEventListener("keydown", (event) => this.key(event));
      new ResizeObserver(() => this.draw()).observe(this.frame);
    }

    /** Show these lines; `say` writes a place on the horizontal axis in words. */
    show(lines, xLabel, say) {
      Object.assign(this, { lines: lines.filter((line) => line.points.length), xLabel, say });
      this.places = [...new Set(this.lines.flatMap((line) => line.points.map(({ x }) => x)))].sort(
        (a, b) => a - b,
      );
      this.frame.setAttribute(
        "aria-label",
        `${this.title}, against ${xLabel}. ${this.summary()} Arrow keys read the values.`,
      );
      this.chosen = null;
      this.draw();
      this.fill();
    }

    /** What the chart shows, for those who do not see it. */
    summary() {
      return this.lines
        .map(({ name, points }) => {
          const from = this.tell(points[0].y),
            to = this.tell(points[points.length - 1].y);
          return points.length > 1 ? `${name}: from ${from} to ${to}.` : `${name}: ${from}.`;
        })
        .join(" ");
    }

    draw() {
      const width = this.frame.clientWidth;
      if (!width || !this.lines.length) return;
      this.scale(width);
      const svg = element("svg", {
        viewBox: `0 0 ${width} ${this.height}`,
        width,
        height: this.height,
        "aria-hidden": "true",
      });
      this.axes(svg, width);
      for (const line of this.lines) svg.append(...this.curve(line));
      this.cursor = element("g");
      svg.append(this.cursor);
      this.frame.replaceChildren(svg);
      this.choose(this.chosen);
    }

    /** From values to places in the picture. */
    scale(width) {
      const points = this.lines.flatMap((line) => line.points);
      const [low, high] = extent(points.map(({ y }) => y)),
        padding = PADDING * (high - low);
      let right = extent([0, ...points.map(({ x }) => x)])[1];
      this.range = { y: [low - padding, high + padding] };
      if (this.lines.every((line) => line.points.length === 1)) {
        this.range.y = [0, AROUND_ONE * Math.max(...points.map(({ y }) => y)) || 1];
        right *= AROUND_ONE;
      }
      this.range.x = [0, right];
      const across = width - MARGIN.left - MARGIN.right,
        down = this.height - MARGIN.top - MARGIN.bottom;
      this.x = (value) => MARGIN.left + (across * value) / right;
      this.y = (value) =>
        MARGIN.top + (down * (this.range.y[1] - value)) / (this.range.y[1] - this.range.y[0]);
      this.steps = { x: across / TICK_PX.x, y: down / TICK_PX.y };
    }

    axes(svg, width) {
      const bottom = this.height - MARGIN.bottom,
        right = width - MARGIN.right;
      for (const { value, label } of ticks(...this.range.y, this.steps.y)) {
        const y = this.y(value);
        svg.append(element("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y, y2: y }));
        svg.append(
          element(
            "text",
            { class: "tick", x: MARGIN.left - 8, y: y + 4, "text-anchor": "end" },
            label,
          ),
        );
      }
      for (const { value, label } of ticks(...this.range.x, this.steps.x)) {
        const x = this.x(value);
        svg.append(element("line", { class: "axis", x1: x, x2: x, y1: bottom, y2: bottom + 5 }));
        svg.append(
          element("text", { class: "tick", x, y: bottom + 19, "text-anchor": "middle" }, label),
        );
      }
      svg.append(
        element("line", { class: "axis", x1: MARGIN.left, x2: right, y1: bottom, y2: bottom }),
      );
      svg.append(
        element(
          "text",
          {
            class: "label",
            x: (MARGIN.left + right) / 2,
            y: this.height - 6,
            "text-anchor": "middle",
          },
          this.xLabel,
        ),
      );
    }

    /** A line with its markers, or with a dot where it has a single point. */
    curve({ points, look: { className, marker } }) {
      const at = points.map(({ x, y }) => [this.x(x), this.y(y)]);
      const made = [
        element("path", {
          class: className,
          d: at.map(([x, y], n) => `${n ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join(""),
        }),
      ];
      const drawn = marker ?? (points.length === 1 ? MARKERS[5] : null);
      let last = -Infinity;
      for (const [x, y] of drawn ? at : []) {
        if (x - last < MARKER_PX) continue;
        last = x;
        made.push(element("path", { class: `${className} marker`, d: drawn(x, y) }));
      }
      return made;
    }

    point(event) {
      const x = event.clientX - this.frame.getBoundingClientRect().left;
      const distance = (place) => Math.abs(this.x(place) - x);
      this.choose(
        this.places.reduce((best, place) => (distance(place) < distance(best) ? place : best)),
      );
    }

    key(event) {
      const last = this.places.length - 1,
        at = this.places.indexOf(this.chosen);
      const moves = {
        ArrowLeft: at < 0 ? last : Math.max(0, at - 1),
        ArrowRight: Math.min(last, at + 1),
        Home: 0,
        End: last,
      };
      if (event.key === "Escape") this.choose(null);
      else if (event.key in moves) this.choose(this.places[moves[event.key]]);
      else return;
      event.preventDefault();
    }

    /** Mark the values at a place, and write them below. */
    choose(place) {
      this.chosen = place;
      this.cursor?.replaceChildren();
      this.readout.textContent = place === null ? "" : this.told(place);
      if (place === null || !this.cursor) return;
      const x = this.x(place);
      this.cursor.append(
        element("line", {
          class: "cursor",
          x1: x,
          x2: x,
          y1: MARGIN.top,
          y2: this.height - MARGIN.bottom,
        }),
      );
      for (const [line, point] of this.found(place)) {
        this.cursor.append(
          element("circle", {
            class: `${line.look.className} ring`,
            cx: this.x(point.x),
            cy: this.y(point.y),
            r: 6,
          }),
        );
      }
    }

    /** Each line that reaches a place, with its point there or the nearest one. */
    found(place) {
      const reach = this.lines.filter(
        ({ points }) => points[0].x <= place && place <= points[points.length - 1].x,
      );
      return reach.map((line) => [
        line,
        line.points.reduce((best, point) =>
          Math.abs(point.x - place) < Math.abs(best.x - place) ? point : best,
        ),
      ]);
    }

    told(place) {
      const values = this.found(place).map(([line, point]) => `${line.name} ${this.tell(point.y)}`);
      return `${this.say(place)}: ${values.join("; ")}`;
    }

    /** Fill the table with the numbers, if it is open. */
    fill() {
      this.details.querySelector(".scroll")?.remove();
      if (!this.details.open) return;
      const scroll = html("div", "scroll numbers"),
        body = html("tbody");
      scroll.tabIndex = 0;
      scroll.setAttribute("role", "region");
      scroll.setAttribute("aria-label", `${this.title}, the numbers`);
      for (const place of this.places) {
        const cells = this.lines.map(({ points }) => points.find(({ x }) => x === place));
        body.append(
          row("td", [this.say(place), ...cells.map((each) => (each ? this.tell(each.y) : ""))]),
        );
      }
      scroll.append(table([this.xLabel, ...this.lines.map(({ name }) => name)], body));
      this.details.append(scroll);
    }
  }

  function row(kind, texts) {
    const made = html("tr");
    for (const text of texts) made.append(html(kind, "", text));
    return made;
  }

  function table(heading, body) {
    const made = html("table"),
      head = html("thead"),
      names = row("th", heading);
    for (const each of names.children) each.scope = "col";
    head.append(names);
    made.append(head, body);
    return made;
  }

  return { Chart, html, look, row, swatch, table, ticks };
})();
