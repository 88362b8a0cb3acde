"use strict";

/**
 * The random numbers of sampling: Philox4x64-10 (Salmon et al. 2011), as NumPy has it.
 *
 * The number for a character depends on (seed, text, position) alone; see `charrnn.sampling.noise`.
 */
charrnn.noise = (() => {
  const MASK = (1n << 64n) - 1n;
  const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
  const WEYL = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];
  const ROUNDS = 10;
  const FROM_A_COUNT = 8; // numbers of 32 bits, two from each of four words

  /** Four words of 64 bits for a count and a key. */
  function philox(count, first, second) {
    let [a, b, c, d] = [count, 0n, 0n, 0n];
    for (let round = 0; round < ROUNDS; round++) {
      const left = MULTIPLIERS[0] * a;
      const right = MULTIPLIERS[1] * c;
      [a, b, c, d] = [
        (right >> 64n) ^ b ^ first,
        right & MASK,
        (left >> 64n) ^ d ^ second,
        left & MASK,
      ];
      first = (first + WEYL[0]) & MASK;
      second = (second + WEYL[1]) & MASK;
    }
    return [a, b, c, d];
  }

  /** Uniform numbers in [0, 1) of 24 bits, position after position. */
  class Noise {
    /** `seed` is a BigInt from 0 to 2^64 - 1. */
    constructor(seed, position = 0, text = 0) {
      this.seed = seed;
      this.text = BigInt(text);
      this.position = position;
      this.numbers = new Float64Array(FROM_A_COUNT);
      if (position % FROM_A_COUNT) this.fill();
    }

    /** The number of the next position. */
    next() {
      const place = this.position % FROM_A_COUNT;
      if (place === 0) this.fill();
      this.position += 1;
      return this.numbers[place];
    }

    fill() {
      const count = BigInt(Math.floor(this.position / FROM_A_COUNT)) + 1n;
      philox(count, this.seed, this.text).forEach((word, place) => {
        this.numbers[2 * place] = Number((word & 0xffffffffn) >> 8n) / (1 << 24);
        this.numbers[2 * place + 1] = Number(word >> 40n) / (1 << 24);
      });
    }
  }

  /** A seed that nobody chose, short enough to type again. */
  function randomSeed() {
    return BigInt(crypto.getRandomValues(new Uint32Array(1))[0] >>> 1);
  }

  return { Noise, randomSeed };
})();
