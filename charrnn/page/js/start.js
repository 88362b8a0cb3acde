"use strict";

/** What all files of the page share: each adds one part. */
const charrnn = {};

/** What the page knows, as `charrnn.page.contents` has collected it. */
charrnn.data = JSON.parse(document.getElementById("data").textContent);

/** What the address says: which model writes, and the prompt; the page is loaded anew for another. */
charrnn.address = new URLSearchParams(location.search);
charrnn.chosen = Math.max(
  0,
  charrnn.data.models.findIndex((_, place) => String(place) === charrnn.address.get("model")),
);
Object.assign(charrnn.data, charrnn.data.models[charrnn.chosen]);
