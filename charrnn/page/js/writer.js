"use strict";

/** One text as it is written, character by character: no part of it knows the screen. */
charrnn.writer = (() => {
  const { vocabulary } = charrnn;
  const backward = charrnn.data.backward;

  /** From the order of writing to that of reading, or back. */
  const readable = (text) => (backward ? Array.from(text).reverse().join("") : text);

  /** Turns ids into characters; at byte level it puts the bytes of a character together. */
  class Decoder {
    constructor() {
      this.stream = new TextDecoder("utf-8", { ignoreBOM: true });
      this.pending = [];
    }

    /** The characters that are complete with one more id, in the order of writing. */
    take(id) {
      const symbol = vocabulary.symbols[id];
      if (!vocabulary.byteLevel) return symbol;
      const byte = symbol.charCodeAt(0);
      if (!backward) return this.stream.decode(Uint8Array.of(byte), { stream: true });
      this.pending.unshift(byte);
      return byte >= 0x80 && byte < 0xc0 ? "" : this.rest(); // else the byte begins a character
    }

    /** What is left where the text ends. */
    rest() {
      if (!vocabulary.byteLevel || !backward) return this.stream.decode();
      const bytes = Uint8Array.from(this.pending.splice(0));
      return readable(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
    }
  }

  /** Ends a text before the stop; holds back what may turn out to begin it. */
  class Ending {
    constructor(stop) {
      this.stop = readable(stop);
      this.held = "";
      this.done = false;
    }

    /** What may be shown after the piece. */
    feed(piece) {
      return this.stop ? Array.from(piece, (character) => this.take(character)).join("") : piece;
    }

    take(character) {
      if (this.done) return "";
      const text = this.held + character;
      this.done = text.endsWith(this.stop);
      let kept = this.done ? this.stop.length : Math.min(this.stop.length - 1, text.length);
      while (!this.done && !this.stop.startsWith(text.slice(text.length - kept))) kept--;
      this.held = this.done ? "" : text.slice(text.length - kept);
      return text.slice(0, text.length - kept);
    }

    /** What was held back, where the text ends otherwise. */
    rest() {
      const { held } = this;
      this.held = "";
      return held;
    }
  }

  class Writer {
    constructor(network) {
      this.network = network;
      this.begin("", { length: 0, seed: 0n });
    }

    /** Begin a text: the zero state, then the start symbol and the prompt are read. */
    begin(prompt, settings) {
      const given = Array.from(vocabulary.encode(prompt));
      this.network.start();
      this.prompt = prompt;
      /** The ids in the order of reading them, from the start symbol on. */
      this.ids = [vocabulary.start, ...(backward ? given.reverse() : given)];
      this.place = 0; // how many of them the network has read
      this.position = 0; // how many characters were drawn
      this.written = ""; // in the order of writing
      this.dropped = ""; // the stop that ended the text, which the network reads all the same
      this.proceed(settings);
    }

    /** Go on with the text: what ended it belongs to it now. */
    proceed(settings) {
      this.settings = settings;
      this.filters = new charrnn.filters.Filters(settings, vocabulary.unknown);
      this.noise = new charrnn.noise.Noise(settings.seed, this.position);
      this.decoder = new Decoder();
      this.ending = new Ending(settings.stop ?? "");
      this.last = this.position + settings.length;
      this.written += this.dropped;
      this.dropped = "";
    }

    get done() {
      return this.ending.done || this.position >= this.last;
    }

    /** The written text in the order of reading, without the prompt. */
    get text() {
      return readable(this.written);
    }

    /** Prompt and text, in the order of reading. */
    get whole() {
      return backward ? this.text + this.prompt : this.prompt + this.text;
    }

    /** Let the network read one character, and draw the next where the prompt is at its end. */
    step() {
      const logits = this.network.read(this.ids[this.place++]);
      if (this.place < this.ids.length) return;
      const id = this.filters.draw(logits, this.ids, this.noise.next());
      this.ids.push(id);
      this.position += 1;
      this.written += this.ending.feed(this.decoder.take(id));
      if (this.ending.done) this.dropped = this.ending.stop;
    }

    /** End the text here: what was held back belongs to it. */
    finish() {
      if (this.ending.done) return;
      this.written += this.ending.feed(this.decoder.rest()) + this.ending.rest();
      this.last = this.position;
    }

    /** All that is needed to come back to this place with `restore`. */
    snapshot() {
      return { ...this, ids: this.ids.slice(), state: this.network.copyState() };
    }

    restore({ state, ...fields }) {
      Object.assign(this, fields, { ids: fields.ids.slice() });
      this.network.setState(state);
    }
  }

  return { Writer };
})();
