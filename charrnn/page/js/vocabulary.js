"use strict";

/** The characters that the model knows, and their ids. */
charrnn.vocabulary = (() => {
  const { characters, byte_level: byteLevel } = charrnn.data.vocabulary;
  const symbols = Array.from(characters); // by code points: an emoji is one
  const unknown = symbols.length;
  const ids = new Map(symbols.map((symbol, id) => [symbol, id]));
  /** What a text is taken to follow: a line's end where the corpus has lines. */
  const start = ids.get("\n") ?? 0;

  /** The model's characters of a text: at byte level its UTF-8 bytes, each as one character. */
  function units(text) {
    if (!byteLevel) return Array.from(text);
    return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte));
  }

  /** The ids of a text; characters outside become the unknown symbol. */
  function encode(text) {
    return Int32Array.from(units(text), (unit) => ids.get(unit) ?? unknown);
  }

  /** The characters of a text that the model does not know, each once. */
  function missing(text) {
    return [...new Set(text)].filter((each) => units(each).some((unit) => !ids.has(unit)));
  }

  return { byteLevel, symbols, unknown, size: unknown + 1, start, encode, missing };
})();
