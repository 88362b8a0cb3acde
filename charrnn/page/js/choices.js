"use strict";

/** What a person has chosen in the form, under the names that charrnn gives the settings. */
charrnn.choices = (() => {
  const SEEDS = 1n << 64n;
  const ESCAPES = { n: "\n", t: "\t", "\\": "\\" };
  const NUMBERS = [
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repetition_penalty",
    "repetition_window",
    "length",
  ];
  const byId = (id) => document.getElementById(id);
  const seed = () => byId("seed").value.trim();

  /** The settings; a seed that was not typed is this one, or else a new one. */
  function settings(before = charrnn.noise.randomSeed()) {
    const numbers = NUMBERS.map((name) => [name, Number(byId(name).value)]);
    const stop = byId("stop").value.replace(/\\([nt\\])/g, (_, letter) => ESCAPES[letter]);
    return { ...Object.fromEntries(numbers), stop, seed: seed() ? BigInt(seed()) : before };
  }

  /** Whether all are possible; if not, the browser says which is not. */
  function valid() {
    const wrong = seed() && (!/^[0-9]+$/.test(seed()) || BigInt(seed()) >= SEEDS);
    const valid = `A seed is a whole number from 0 to ${SEEDS - 1n}; leave it empty for a new one.`;
    byId("seed").setCustomValidity(wrong ? valid : "");
    const more = document.querySelector("#controls details");
    if (more.querySelector(":invalid")) more.open = true;
    return byId("controls").reportValidity();
  }

  /** Replace a seed that was typed by one that nobody chose. */
  function changeSeed() {
    if (seed()) byId("seed").value = charrnn.noise.randomSeed();
  }

  /** Show what goes with the choices: the temperature, unknown characters. */
  function explain() {
    byId("temperature-value").textContent = Number(byId("temperature").value).toFixed(2);
    const missing = charrnn.vocabulary.missing(byId("prompt").value).map((each) => `“${each}”`);
    byId("missing").textContent = missing.length
      ? `The model has never seen ${missing.join(", ")}.`
      : "";
  }

  return { settings, valid, changeSeed, explain };
})();
