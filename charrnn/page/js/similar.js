"use strict";

/** Places of a text where the network's state is most like the state at one place. */
charrnn.similar = (() => {
  const APART = 20; // characters between two places that are told, and from the place itself

  function cosine(a, b) {
    let both = 0,
      left = 0,
      right = 0;
    for (let unit = 0; unit < a.length; unit++) {
      both += a[unit] * b[unit];
      left += a[unit] * a[unit];
      right += b[unit] * b[unit];
    }
    return left && right ? both / Math.sqrt(left * right) : 0;
  }

  /**
   * The nearest characters by the cosine of a part of the state: [{number, likeness}].
   *
   * Neighbours of the place, and of places that are nearer, are left out: next to each other,
   * states are alike because the text is the same.
   */
  function nearest(reading, name, number, count) {
    const [first, last] = reading.read,
      here = reading.after(name, number),
      found = [];
    for (let each = first; each < last; each++) {
      if (Math.abs(each - number) > APART) {
        found.push({ number: each, likeness: cosine(here, reading.after(name, each)) });
      }
    }
    found.sort((a, b) => b.likeness - a.likeness || a.number - b.number);
    const told = [];
    for (const each of found) {
      if (told.length === count) break;
      if (told.every((other) => Math.abs(other.number - each.number) > APART)) told.push(each);
    }
    return told;
  }

  return { nearest };
})();
