"use strict";

/**
 * What the colours of a text may show: a value of each character, a class for its colour, a key to
 * the classes.
 */
charrnn.views = (() => {
  const { made, signed, part } = charrnn.words;

  /** The numbers from the first to the last. */
  const range = (first, last) =>
    Array.from({ length: last - first + 1 }, (_, step) => first + step);

  const swatch = (style, label) => made("span", { class: style }, label);

  /** How unexpected each character was, in bits. */
  class Surprise {
    constructor(reading) {
      this.reading = reading;
      this.levels = 8;
    }

    measure() {}

    value(number) {
      return this.reading.surprise(number);
    }

    style(number) {
      return `s${Math.min(this.levels, Math.round(this.value(number)))}`;
    }

    key() {
      const bits = range(0, this.levels).map((each) => swatch(`s${each}`, each));
      bits[this.levels].append("+");
      return ["expected ", ...bits, " bits: unexpected"];
    }
  }

  /** One unit's activation (Karpathy et al. 2015). */
  class Unit {
    constructor(reading, name, unit) {
      Object.assign(this, { reading, name, unit, levels: 5, largest: 0 });
      this.caption = `Unit ${unit} of the ${part(name)}`;
    }

    /** Look for the largest value, which has the strongest colour. */
    measure() {
      const [first, last] = this.reading.read;
      this.largest = 0;
      for (let each = first; each < last; each++) {
        this.largest = Math.max(this.largest, Math.abs(this.value(each)));
      }
    }

    value(number) {
      return this.reading.after(this.name, number)[this.unit];
    }

    style(number) {
      const share = Math.max(-1, Math.min(1, this.value(number) / (this.largest || 1)));
      const level = Math.round(this.levels * share);
      return level ? `${level > 0 ? "p" : "n"}${Math.abs(level)}` : "";
    }

    key() {
      const steps = range(1, this.levels);
      return [
        `${signed(-this.largest)} `,
        ...steps.toReversed().map((each) => swatch(`n${each}`, "−")),
        swatch("", "0"),
        ...steps.map((each) => swatch(`p${each}`, "+")),
        ` ${signed(this.largest)}`,
      ];
    }
  }

  /** How far a unit's gate is open, or all units' gates in the mean where the unit is null. */
  class Gate {
    constructor(reading, name, unit) {
      Object.assign(this, { reading, name, unit, levels: 8, lowest: 0, highest: 1 });
      const of = unit === null ? "mean of all units" : `unit ${unit}`;
      this.caption = `${part(name)}, ${of}`.replace(/^./, (letter) => letter.toUpperCase());
    }

    /** Look for the least and the most, between which the colours lie. */
    measure() {
      const [first, last] = this.reading.read;
      const values = range(first, last - 1).map((each) => this.value(each));
      this.lowest = values.reduce((least, each) => Math.min(least, each), 1);
      this.highest = values.reduce((most, each) => Math.max(most, each), this.lowest);
    }

    value(number) {
      const values = this.reading.after(this.name, number);
      return this.unit === null ? mean(values) : values[this.unit];
    }

    style(number) {
      const share = (this.value(number) - this.lowest) / (this.highest - this.lowest || 1);
      return `g${Math.min(this.levels, Math.max(0, Math.round(this.levels * share)))}`;
    }

    key() {
      const levels = range(0, this.levels).map((each) => swatch(`g${each}`, "\u00a0"));
      const [low, high] = [this.lowest, this.highest].map(signed);
      return [`less open: ${low} `, ...levels, ` ${high}: more open`];
    }
  }

  function mean(values) {
    let sum = 0;
    for (const each of values) sum += each;
    return sum / values.length;
  }

  return { Surprise, Unit, Gate, mean };
})();
