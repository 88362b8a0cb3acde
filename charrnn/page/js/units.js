"use strict";

/** The list of units worth looking at, by what they follow; or why there are none. */
charrnn.units = (() => {
  const { made, count, signed, part } = charrnn.words;
  const TEXTS = { validation: "the run’s validation text", text: "the text in this page" };
  const UNMEASURED =
    "Which units are worth looking at was not measured when the page was made: that takes at least 1,000 characters of text.";

  /** The list; `choose(unit)` is called for the unit that a person presses. */
  function list({ units, measured, length, features }, choose) {
    if (!measured) return [note(UNMEASURED)];
    const of = (feature) => units.filter((unit) => unit.feature === feature);
    const followed = features.filter((feature) => of(feature).length);
    const missed = features.filter((feature) => !of(feature).length);
    const where = `Measured on ${count(length)} characters of ${TEXTS[measured]}`;
    const found = `${where}. The number is the correlation; 1 would be a perfect match.`;
    return [
      ...followed.map((feature) => group(feature, of(feature), choose)),
      note(
        [
          units.length ? found : `${where}: nothing found.`,
          missed.length ? `No unit closely follows: ${missed.join(", ")}.` : "",
        ].join(" "),
      ),
    ];
  }

  const note = (text) => made("p", { class: "note" }, text);

  function group(feature, units, choose) {
    const buttons = units.map((unit) => button(unit, choose));
    const attributes = { class: "group", role: "group", "aria-label": feature };
    return made("div", attributes, made("h3", {}, feature), ...buttons);
  }

  function button(unit, choose) {
    const { state, strength } = unit;
    const way = strength > 0 ? "rises" : "falls";
    const attributes = {
      type: "button",
      value: `${state} ${unit.unit}`,
      "aria-label": `unit ${unit.unit} of the ${part(state)} ${way}, correlation ${signed(strength)}`,
    };
    const place = made("small", {}, ` ${part(state)} `);
    const how = `${way} ${Math.abs(strength).toFixed(2)}`;
    const pressed = made("button", attributes, `unit ${unit.unit}`, place, how);
    pressed.addEventListener("click", () => choose(unit));
    return pressed;
  }

  return { list };
})();
