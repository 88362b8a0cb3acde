"use strict";

/** How characters, numbers and parts of the network are written for a person. */
charrnn.words = (() => {
  const { vocabulary } = charrnn;
  const SIGNS = { " ": "␣", "\n": "↵", "\t": "⇥" };
  const NAMES = { " ": "space", "\n": "line end", "\t": "tab" };
  const PARTS = {
    h: "hidden state",
    c: "cell state",
    y: "output",
    i: "input gate",
    f: "forget gate",
    o: "output gate",
    z: "update gate",
    r: "reset gate",
  };
  const LAST_ASCII = 0x7e;

  /** An element with attributes, custom properties of its style (--name), and children. */
  function made(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("--")) element.style.setProperty(key, value);
      else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }

  /** A whole number with its thousands apart. */
  const count = (number) => number.toLocaleString("en");

  /** Two decimals, and a true minus sign. */
  const signed = (value) => value.toFixed(2).replace("-", "−");

  /** A probability. */
  function percent(chance) {
    if (chance < 0.001) return "< 0.1 %";
    return `${(100 * chance).toFixed(chance < 0.1 ? 1 : 0)} %`;
  }

  /** A character so that it can be seen alone. */
  const seen = (symbol) => SIGNS[symbol] ?? (/\p{M}/u.test(symbol) ? `◌${symbol}` : symbol);

  /** A character so that it can be heard. */
  const named = (symbol) => NAMES[symbol] ?? symbol;

  /** The character of an id: at byte level a byte, of which only some are characters. */
  function symbolOf(id) {
    const symbol = vocabulary.symbols[id] ?? "\ufffd";
    const code = symbol.codePointAt(0);
    if (!vocabulary.byteLevel || code <= LAST_ASCII) return symbol;
    return `byte ${code.toString(16).toUpperCase()}`;
  }

  /** "hidden state h of layer 2" from "2/h". */
  function part(name) {
    const [layer, letter] = name.split("/");
    return `${[PARTS[letter], letter].filter(Boolean).join(" ")} of layer ${layer}`;
  }

  return { made, count, signed, percent, seen, named, symbolOf, part };
})();
