"use strict";

/** Opens the page: once it can be seen, the model is unpacked and writes. */
charrnn.main = (() => {
  function open() {
    const { recording, precision, about, footer } = charrnn.data;
    const packed = Array.from(document.querySelectorAll(".weights"));
    const text = packed[charrnn.chosen].textContent;
    const weights = charrnn.tensors.unpack(text, recording.weights, precision);
    for (const each of packed) each.remove();
    document.querySelector(".about").textContent = about;
    document.querySelector("footer p").textContent = footer;
    offer();
    charrnn.model = new charrnn.network.Network(recording, weights);
    charrnn.desk = new charrnn.write.Desk(charrnn.model);
    document.dispatchEvent(new CustomEvent("charrnn:ready"));
    charrnn.desk.write();
    link();
  }

  /** Let a person choose which of several models writes. */
  function offer() {
    const { runs, models } = charrnn.data;
    const [select, prompt] = ["model", "prompt"].map((id) => document.getElementById(id));
    document.getElementById("models").hidden = models.length < 2;
    for (const [place, run] of runs.entries()) select.append(new Option(run.name, place));
    select.value = charrnn.chosen;
    prompt.value = charrnn.address.get("prompt") ?? "";
    select.addEventListener("change", () => {
      location.search = new URLSearchParams({ model: select.value, prompt: prompt.value });
    });
  }

  /** Show the links to those parts that the page has; a part that is shown unhides its section. */
  function link() {
    const links = Array.from(document.querySelectorAll("nav a"));
    for (const each of links) each.hidden = document.querySelector(each.hash).hidden;
    document.querySelector("nav").hidden = links.filter((each) => !each.hidden).length < 2;
  }

  requestAnimationFrame(() => setTimeout(open));
})();
