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
  }

  requestAnimationFrame(() => setTimeout(open));
})();
