"use strict";

/** Opens the page: once it can be seen, the model is unpacked and writes. */
charrnn.main = (() => {
  function open() {
    const { recording, precision } = charrnn.data;
    const packed = document.getElementById("weights");
    const weights = charrnn.tensors.unpack(packed.textContent, recording.weights, precision);
    packed.remove();
    charrnn.model = new charrnn.network.Network(recording, weights);
    charrnn.desk = new charrnn.write.Desk(charrnn.model);
    document.dispatchEvent(new CustomEvent("charrnn:ready"));
    charrnn.desk.write();
    link();
  }

  /** Show the links to those parts that the page has; a part that is shown unhides its section. */
  function link() {
    const links = Array.from(document.querySelectorAll("nav a"));
    for (const each of links) each.hidden = document.querySelector(each.hash).hidden;
    document.querySelector("nav").hidden = links.filter((each) => !each.hidden).length < 2;
  }

  requestAnimationFrame(() => setTimeout(open));
})();
