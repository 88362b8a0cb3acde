"use strict";

/** The card beside the text: all that is known of one character. */
charrnn.card = (() => {
  const { vocabulary } = charrnn;
  const { made, count, signed, percent, seen, named, symbolOf, part } = charrnn.words;
  const REST_MS = 120; // on a character until places like it are looked for
  const PLACES = 5;
  const AROUND = 16; // characters shown before such a place; half as many after it
  const RARE = 0.05; // chances below are told as "one in …" too
  const INVITATION =
    "Choose a character: here you will see what the network expected in its place, and where else in the text its memory was much the same.";

  const note = (text) => made("p", { class: "note" }, text);

  class Card {
    /** `go(number)` is called for a place that a person presses. */
    constructor(element, reading, go) {
      Object.assign(this, { element, reading, go });
      this.gates = charrnn.data.look.gates.map(({ layer, name }) => `${layer}/${name}`);
      const [first] = Object.keys(reading.network.state);
      const output = first.split("/")[1]; // the first part of a layer's state is its output
      const layers = Object.keys(reading.network.state).map((name) => name.split("/")[0]);
      /** The part of the state that places are compared by: the network predicts from it. */
      this.compared = `${layers.at(-1)}/${output}`;
    }

    /** Show a character, or an invitation where it is null. */
    show(number, view) {
      clearTimeout(this.rest);
      if (number === null) {
        this.element.replaceChildren(note(INVITATION));
        return;
      }
      this.places = made("div", {}, note("…"));
      const close = made("button", { type: "button", class: "close" }, "Close");
      close.addEventListener("click", () => this.show(null));
      this.element.replaceChildren(
        close,
        ...this.head(number),
        this.verdict(number),
        ...this.activation(number, view),
        made("h3", {}, this.inBytes(number) ? "Likeliest bytes here" : "Likeliest here"),
        this.guesses(number),
        ...this.openness(number, view),
        made("h3", {}, "Places with a similar state"),
        this.places,
      );
      this.rest = setTimeout(() => this.findPlaces(number), REST_MS);
    }

    head(number) {
      const { symbol } = this.reading.characters[number];
      const name = named(symbol) === symbol ? "" : `${named(symbol)}, `;
      const total = count(this.reading.characters.length);
      return [
        made("p", { class: "glyph", dir: "auto" }, seen(symbol)),
        note(`${name}character ${count(number + 1)} of ${total}`),
      ];
    }

    verdict(number) {
      const bits = this.reading.surprise(number);
      const chance = 2 ** -bits;
      const odds = chance < RARE ? `, one in ${count(Math.round(1 / chance))}` : "";
      const told = ` of surprise: the network gave it a chance of ${percent(chance)}${odds}.`;
      return made("p", {}, made("strong", {}, `${bits.toFixed(2)} bits`), told);
    }

    activation(number, view) {
      if (!view.caption) return [];
      const value = made("strong", {}, signed(view.value(number)));
      return [made("p", {}, `${view.caption}, after this character: `, value)];
    }

    /** Whether the character has several ids, of which the first is guessed first. */
    inBytes(number) {
      const [first, last] = this.reading.rows(number);
      return vocabulary.byteLevel && first !== last;
    }

    guesses(number) {
      const { reading } = this;
      const [row] = reading.rows(number);
      const id = reading.ids[row];
      const list = reading.likeliest(number);
      if (!list.some((guess) => guess.id === id))
        list.push({ id, chance: 2 ** -reading.bits[row] });
      return made(
        "ol",
        { class: "bars" },
        ...list.map((guess) => {
          const mark = guess.id === id ? made("span", { class: "came" }, "came") : "";
          return bar(seen(symbolOf(guess.id)), guess.chance, percent(guess.chance), mark);
        }),
      );
    }

    openness(number, view) {
      if (!(view instanceof charrnn.views.Gate)) return [];
      const bars = this.gates.map((name) => {
        const open = charrnn.views.mean(this.reading.after(name, number));
        return bar(part(name), open, open.toFixed(2));
      });
      return [
        made("h3", {}, "How open the gates were, mean of all units"),
        made("ul", { class: "bars wide" }, ...bars),
      ];
    }

    findPlaces(number) {
      const found = charrnn.similar.nearest(this.reading, this.compared, number, PLACES);
      const told = found.length
        ? "Where the network’s memory was most like what it was after this character. 1 would be the same."
        : "The text is too short to compare.";
      const list = found.map((each) => made("li", {}, this.place(each)));
      this.places.replaceChildren(note(told), made("ul", { class: "places" }, ...list));
    }

    place({ number, likeness }) {
      const { characters } = this.reading;
      const text = (from, to) =>
        characters
          .slice(Math.max(0, from), to)
          .map(({ symbol }) => (symbol === "\n" ? "↵" : symbol))
          .join("");
      const context = made(
        "span",
        { class: "context", dir: "auto" },
        text(number - AROUND, number),
        made("mark", {}, text(number, number + 1)),
        text(number + 1, number + 1 + AROUND / 2),
      );
      const value = made("span", { class: "number" }, likeness.toFixed(2));
      const button = made("button", { type: "button", title: "go there" }, context, value);
      button.addEventListener("click", () => this.go(number));
      return button;
    }

    /** What is said to those who listen to the page. */
    spoken(number, view) {
      const { reading } = this;
      const { symbol } = reading.characters[number];
      const guesses = reading
        .likeliest(number)
        .map(({ id, chance }) => `${named(symbolOf(id))} ${percent(chance)}`);
      return [
        `${named(symbol)}: ${reading.surprise(number).toFixed(1)} bits.`,
        view.caption ? `${view.caption}: ${signed(view.value(number))}.` : "",
        `Likeliest were ${guesses.join(", ")}.`,
      ]
        .filter(Boolean)
        .join(" ");
    }
  }

  function bar(label, share, value, mark = "") {
    return made(
      "li",
      {},
      made("span", { class: "label", dir: "auto" }, label),
      made("span", { class: "bar", "--share": `${100 * share}%` }),
      made("span", { class: "number" }, value),
      mark,
    );
  }

  return { Card };
})();
