"use strict";

/**
 * Reads a text through the network and keeps what it saw: how surprising each character was, what
 * was likelier, and all states and gates after it.
 *
 * The network reads ids, at byte level several for a character. A row is what is kept of an id, in
 * the order in which ids are read; a backward model reads them from the end.
 */
charrnn.reading = (() => {
  const { vocabulary } = charrnn;
  const backward = charrnn.data.backward;
  const GUESSES = 5; // of the likeliest characters
  const MOST = 20000; // ids
  const MEMORY = 128 << 20; // bytes for states and gates
  const BLOCK = 64; // rows for which memory is taken at once

  /** The characters of a text, and where the ids of each begin and end. */
  function characters(text) {
    const encoder = new TextEncoder();
    let end = 0;
    return Array.from(text, (symbol) => {
      const start = end;
      end += vocabulary.byteLevel ? encoder.encode(symbol).length : 1;
      return { symbol, start, end };
    });
  }

  /** The part of a text that fits: its beginning, or its end for a model that begins there. */
  function fitting(all, most) {
    const total = all.length ? all[all.length - 1].end : 0;
    if (total <= most) return all;
    if (!backward) return all.filter(({ end }) => end <= most);
    const part = all.filter(({ start }) => total - start <= most),
      first = part[0]?.start ?? 0;
    return part.map(({ symbol, start, end }) => ({
      symbol,
      start: start - first,
      end: end - first,
    }));
  }

  class Reading {
    /** `gates` are those of `charrnn.data.look`. The network is this reading's own. */
    constructor(network, gates) {
      this.network = network;
      /** Where a part of the state or a gate stands in a row: [place, width], by its name. */
      this.parts = {};
      this.sources = [];
      this.width = 0;
      for (const [name, part] of Object.entries(network.state)) this.add(name, part);
      for (const { layer, name, value } of gates)
        this.add(`${layer}/${name}`, network.value(value));
      this.most = Math.min(MOST, Math.floor(MEMORY / (4 * this.width)));
      this.blocks = [];
      this.ids = new Int32Array(0);
      this.bits = new Float32Array(this.most);
      this.guesses = new Int32Array(this.most * GUESSES);
      this.chances = new Float64Array(this.most * GUESSES);
      this.scratch = new Float64Array(vocabulary.size);
      this.begin("");
      this.rewind(0);
    }

    add(name, source) {
      this.parts[name] = [this.width, source.length];
      this.sources.push([this.width, source]);
      this.width += source.length;
    }

    /** Turn to a text; what it has in common with the last one is not read again. */
    begin(text) {
      const all = characters(text);
      this.total = all.length;
      this.characters = fitting(all, this.most);
      const before = this.ids,
        kept = this.characters.map(({ symbol }) => symbol).join("");
      this.ids = vocabulary.encode(kept);
      if (backward) this.ids.reverse();
      const length = Math.min(this.position ?? 0, this.ids.length);
      let same = 0;
      while (same < length && before[same] === this.ids[same]) same++;
      if (same < this.position) this.rewind(same);
    }

    /** Forget all rows from this one on, and put the network there. */
    rewind(row) {
      this.position = row;
      if (row < 2) this.network.start();
      if (row < 2) this.network.read(vocabulary.start);
      else this.network.setState(this.state(row - 2));
      if (row) this.network.read(this.ids[row - 1]);
    }

    /** The parts of the state in a row, by name. */
    state(row) {
      return Object.fromEntries(
        Object.keys(this.network.state).map((name) => [name, this.part(name, row)]),
      );
    }

    /** Read on until this time (of `performance.now`); true where the text is at its end. */
    advance(until) {
      while (this.position < this.ids.length) {
        if (performance.now() >= until) return false;
        this.step();
      }
      return true;
    }

    step() {
      const row = this.position,
        id = this.ids[row];
      this.note(row, id, this.network.logits);
      this.network.read(id);
      this.blocks[Math.floor(row / BLOCK)] ??= new Float32Array(BLOCK * this.width);
      const values = this.row(row);
      for (const [place, source] of this.sources) values.set(source, place);
      this.position = row + 1;
    }

    /** Keep what the network thought before this id came. */
    note(row, id, logits) {
      const { scratch } = this;
      let most = -Infinity,
        sum = 0;
      for (let each = 0; each < scratch.length; each++)
        if (logits[each] > most) most = logits[each];
      for (let each = 0; each < scratch.length; each++)
        sum += scratch[each] = Math.exp(logits[each] - most);
      this.bits[row] = (Math.log(sum) - (logits[id] - most)) / Math.LN2;
      this.rank(row * GUESSES, sum);
    }

    /** Sort the likeliest characters in by their weights. The unknown symbol is never guessed. */
    rank(start, sum) {
      const { scratch, guesses, chances } = this;
      chances.fill(-1, start, start + GUESSES);
      for (let id = 0; id < vocabulary.unknown; id++) {
        let place = start + GUESSES - 1;
        if (scratch[id] / sum <= chances[place]) continue;
        for (; place > start && scratch[id] / sum > chances[place - 1]; place--) {
          chances[place] = chances[place - 1];
          guesses[place] = guesses[place - 1];
        }
        chances[place] = scratch[id] / sum;
        guesses[place] = id;
      }
    }

    /** All states and gates of a row. */
    row(row) {
      const start = (row % BLOCK) * this.width;
      return this.blocks[Math.floor(row / BLOCK)].subarray(start, start + this.width);
    }

    /** A part of the state, or a gate, in a row. */
    part(name, row) {
      const [place, width] = this.parts[name];
      return this.row(row).subarray(place, place + width);
    }

    /** The characters that have been read: from this one until before that one. */
    get read() {
      const { characters, position, ids } = this;
      if (backward)
        return [
          characters.findIndex(({ start }) => start >= ids.length - position),
          characters.length,
        ].map((each) => (each < 0 ? characters.length : each));
      const unread = characters.findIndex(({ end }) => end > position);
      return [0, unread < 0 ? characters.length : unread];
    }

    /** The first and the last row of a character, as they are read. */
    rows(number) {
      const { start, end } = this.characters[number],
        { length } = this.ids;
      return backward ? [length - end, length - 1 - start] : [start, end - 1];
    }

    /** How unexpected a character was. */
    surprise(number) {
      const [first, last] = this.rows(number);
      let bits = 0;
      for (let row = first; row <= last; row++) bits += this.bits[row];
      return bits;
    }

    /** The likeliest characters before this one came: [{id, chance}]; at byte level, its first byte. */
    likeliest(number) {
      const start = this.rows(number)[0] * GUESSES;
      const places = Array.from(
        { length: Math.min(GUESSES, vocabulary.unknown) },
        (_, each) => start + each,
      );
      return places.map((place) => ({ id: this.guesses[place], chance: this.chances[place] }));
    }

    /** The states and gates of a name after a character. */
    after(name, number) {
      return this.part(name, this.rows(number)[1]);
    }
  }

  return { Reading };
})();
