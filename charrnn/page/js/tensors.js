"use strict";

/** Weights from the page's base64: one tensor after the other, little-endian. */
charrnn.tensors = (() => {
  /** The bytes of a base64 text. */
  function decode(base64) {
    const binary = atob(base64.trim());
    const bytes = new Uint8Array(binary.length);
    for (let place = 0; place < bytes.length; place++) bytes[place] = binary.charCodeAt(place);
    return bytes;
  }

  /** The value of each of the 65,536 halves (IEEE 754 binary16). */
  function halves() {
    const values = new Float32Array(1 << 16);
    for (let bits = 0; bits < values.length; bits++) {
      const exponent = (bits >> 10) & 31;
      const fraction = bits & 1023;
      const size =
        exponent === 31
          ? fraction
            ? NaN
            : Infinity
          : exponent
            ? (1 + fraction / 1024) * 2 ** (exponent - 15)
            : fraction * 2 ** -24;
      values[bits] = bits >> 15 ? -size : size;
    }
    return values;
  }

  /** From halves to single precision. */
  function widen(bits) {
    const table = halves();
    const values = new Float32Array(bits.length);
    for (let place = 0; place < bits.length; place++) values[place] = table[bits[place]];
    return values;
  }

  /** The tensors of these shapes by name, each a Float32Array of its own. */
  function unpack(base64, shapes, precision) {
    const { buffer } = decode(base64);
    const numbers = precision === 16 ? widen(new Uint16Array(buffer)) : new Float32Array(buffer);
    const tensors = {};
    let start = 0;
    for (const [name, shape] of Object.entries(shapes)) {
      const size = shape.reduce((product, each) => product * each, 1);
      tensors[name] = numbers.slice(start, start + size);
      start += size;
    }
    return tensors;
  }

  return { unpack };
})();
