"use strict";

/** "Look inside": what the network thought of each character of a text, and what it remembered. */
charrnn.look = (() => {
  const { vocabulary, words, views } = charrnn;
  const SLICE_MS = 12; // of reading before the browser has its turn
  const PATIENCE_MS = { written: 500, pasted: 250, given: 0 }; // until a text that changes is read
  const byId = (id) => document.getElementById(id);

  class Panel {
    /** The network is the panel's own, to read with. */
    constructor(network) {
      const { look, text } = charrnn.data;
      this.reading = new charrnn.reading.Reading(network, look.gates);
      this.form = byId("look-controls");
      this.texts = { written: "", pasted: "", given: text ?? "" };
      this.characters = new charrnn.characters.Characters(byId("characters"), {
        look: (number) => this.show(number ?? this.chosen),
        choose: (number) => this.choose(number),
      });
      const go = (number) => this.characters.go(number);
      this.card = new charrnn.card.Card(byId("character"), this.reading, go);
      this.chosen = null; // the character that was gone to
      this.shown = null; // that which is on the card
      this.begun = ""; // the text that is read, or was read last
      this.round = 0;
      this.offer(look);
      this.listen();
      this.turn();
    }

    /** Fill in what this network has to choose from. */
    offer({ gates, units, equations }) {
      const option = (name) => words.made("option", { value: name }, words.part(name));
      byId("unit-state").append(...Object.keys(this.reading.network.state).map(option));
      byId("gate").append(...gates.map(({ layer, name }) => option(`${layer}/${name}`)));
      byId("gate-view").hidden = !gates.length;
      byId("given-source").hidden = !this.texts.given;
      byId("equations").hidden = !equations;
      byId("equations").querySelector("pre").textContent = equations;
      byId("units").append(...charrnn.units.list(charrnn.data.look, (unit) => this.pick(unit)));
      if (units.length) this.fill(units[0]);
    }

    listen() {
      document.addEventListener("charrnn:text", ({ detail }) => this.bring("written", detail.text));
      byId("pasted").addEventListener("input", ({ target }) => this.bring("pasted", target.value));
      this.form.addEventListener("submit", (event) => event.preventDefault());
      this.form.addEventListener("input", ({ target }) => {
        if (target.name === "source") this.bring(this.source, this.texts[this.source], 0);
        if (target !== byId("pasted")) this.turn();
      });
      const observer = new IntersectionObserver((entries) =>
        this.appear(entries.at(-1).isIntersecting),
      );
      observer.observe(byId("look"));
    }

    get source() {
      return this.form.elements.source.value;
    }

    /** Where the panel cannot be seen nothing is read: the writing is faster then. */
    appear(visible) {
      this.visible = visible;
      if (visible && this.waiting) this.begin();
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
      const { reading, characters } = this;
      const before = reading.characters;
      this.waiting = false;
      this.begun = this.texts[this.source];
      reading.begin(this.begun);
      characters.keep(charrnn.data.backward ? 0 : alike(before, reading.characters));
      if (this.chosen >= characters.spans.length) this.chosen = null;
      this.slice(++this.round);
    }

    /** Read for a moment, then let the browser draw and answer. */
    slice(round) {
      if (round !== this.round) return;
      const done = this.reading.advance(performance.now() + SLICE_MS);
      byId("characters").setAttribute("aria-busy", String(!done));
      if (done || !charrnn.data.backward) this.extend();
      if (done) this.finish();
      else this.progress(round);
    }

    progress(round) {
      const { position, ids } = this.reading;
      byId("summary").textContent = `Read: ${words.count(position)} of ${words.count(ids.length)}`;
      setTimeout(() => this.slice(round));
    }

    /** Show the characters that have been read meanwhile. */
    extend() {
      const from = this.characters.spans.length;
      const fresh = this.reading.characters.slice(from, this.reading.read[1]);
      this.characters.extend(fresh.map(({ symbol }) => symbol));
      this.characters.paint((number) => this.view.style(number), from);
    }

    finish() {
      this.turn();
      byId("summary").textContent = this.summary();
      if (this.source === "pasted") this.tell(this.summary());
    }

    summary() {
      const { reading } = this;
      const number = reading.characters.length;
      if (!number) return this.source === "written" ? "Nothing is written yet." : "";
      const bits = reading.bits.subarray(0, reading.position).reduce((sum, each) => sum + each, 0);
      const mean = bits / number;
      return [
        `${words.count(number)} character${number > 1 ? "s" : ""}, ${mean.toFixed(2)} bits per character:`,
        `as unsure as with ${(2 ** mean).toFixed(1)} equally likely characters each time.`,
        this.strangers(),
        this.cut(),
      ]
        .filter(Boolean)
        .join(" ");
    }

    strangers() {
      const unknown = this.reading.ids.filter((id) => id === vocabulary.unknown).length;
      const what = vocabulary.byteLevel ? "bytes" : "characters";
      return unknown ? `${words.count(unknown)} ${what} the network has never seen.` : "";
    }

    cut() {
      const { total, characters } = this.reading;
      const end = charrnn.data.backward ? "last" : "first";
      const [read, all] = [characters.length, total].map(words.count);
      return read === all
        ? ""
        : `Only the ${end} ${read} of ${all} are read, so that the page stays quick.`;
    }

    /** Have the controls' view drawn. */
    turn() {
      const kind = this.form.elements.view.value;
      for (const each of this.form.querySelectorAll(".view")) {
        each.hidden = each.dataset.view !== kind;
      }
      byId("pasted").hidden = this.source !== "pasted";
      this.limit();
      this.view = this.viewOf(kind);
      this.view.measure();
      this.characters.paint((number) => this.view.style(number));
      byId("scale").replaceChildren(...this.view.key());
      this.show(this.shown ?? this.chosen);
    }

    viewOf(kind) {
      const { reading } = this;
      if (kind === "unit") {
        return new views.Unit(reading, byId("unit-state").value, number("unit") ?? 0);
      }
      if (kind === "gate") return new views.Gate(reading, byId("gate").value, number("gate-unit"));
      return new views.Surprise(reading);
    }

    /** Keep the numbers of units within the layer, and mark the unit of the list that is shown. */
    limit() {
      const width = (name) => this.reading.parts[name]?.[1] ?? 1;
      byId("unit").max = width(byId("unit-state").value) - 1;
      byId("gate-unit").max = width(byId("gate").value) - 1;
      const chosen = `${byId("unit-state").value} ${byId("unit").value}`;
      for (const button of byId("units").querySelectorAll("button")) {
        button.setAttribute("aria-pressed", String(button.value === chosen));
      }
    }

    /** Show a unit of the list. */
    pick(unit) {
      this.fill(unit);
      this.turn();
    }

    fill({ state, unit }) {
      byId("unit-state").value = state;
      byId("unit").value = unit;
    }

    /** Stay at a character. */
    choose(number) {
      this.chosen = number;
      this.show(number);
      this.tell(this.card.spoken(number, this.view));
    }

    /** Show a character on the card, if it is there. */
    show(number) {
      const there = number !== null && number < this.characters.spans.length;
      this.shown = there ? number : null;
      this.card.show(this.shown, this.view);
    }

    /** Say something to those who listen to the page. */
    tell(text) {
      byId("told").textContent = text;
    }
  }

  /** How many characters two texts have in common from the start. */
  function alike(before, after) {
    const length = Math.min(before.length, after.length);
    let same = 0;
    while (same < length && before[same].symbol === after[same].symbol) same++;
    return same;
  }

  /** The number that a field holds within its limits, or null. */
  function number(id) {
    const { value, validity } = byId(id);
    return value === "" || !validity.valid ? null : Number(value);
  }

  document.addEventListener("charrnn:ready", () => {
    byId("look").hidden = false;
    charrnn.panel = new Panel(charrnn.model.twin());
  });

  return { Panel };
})();
