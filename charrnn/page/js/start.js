"use strict";

/** What all files of the page share: each adds one part. */
const charrnn = {};

/** What the page knows, as `charrnn.page.contents` has collected it. */
charrnn.data = JSON.parse(document.getElementById("data").textContent);
