#!/usr/bin/env bash
# ml5 0.12.2, charRNN: the logits are made from the output of the second recurrent layer, whatever number
# of layers the model has. In a model of three layers the third has no effect: no error, no warning.
#
# Expected: a model whose last layer is what the output reads, as in char-rnn-tensorflow, whose dumps
# ml5 reads. Seen: the probabilities are the same whatever the third layer's weights are, and others
# when the second layer's are changed.
#
# Needs Node 20 and npm. Status 0 while ml5 does so, 1 if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install ml5@0.12.2 --no-audit --no-fund --ignore-scripts >/dev/null 2>&1

cat > run.js <<'JS'
const fs = require("fs");
const http = require("http");

// Three layers of 4 units over 5 characters; `changed` is the layer whose weights are others.
function write(folder, changed) {
  const manifest = {};
  fs.mkdirSync(folder);
  function add(name, shape, factor) {
    const size = shape.reduce((a, b) => a * b, 1);
    const numbers = Float32Array.from({ length: size }, (_, n) => factor * Math.sin(n + 1));
    const filename = name.replace(/\//g, "_");
    fs.writeFileSync(`${folder}/${filename}`, Buffer.from(numbers.buffer));
    manifest[name] = { filename, shape };
  }
  add("embedding", [5, 4], 1);
  for (const layer of [0, 1, 2]) {
    const cell = `rnnlm/multi_rnn_cell/cell_${layer}/basic_lstm_cell`;
    add(`${cell}/kernel`, [8, 16], layer === changed ? -2 : 1);
    add(`${cell}/bias`, [16], 0.5);
  }
  add("rnnlm/softmax_w", [4, 5], 3);
  add("rnnlm/softmax_b", [5], 0.1);
  fs.writeFileSync(`${folder}/manifest.json`, JSON.stringify(manifest));
  fs.writeFileSync(`${folder}/vocab.json`, JSON.stringify({ a: 0, b: 1, c: 2, d: 3, e: 4 }));
}

// As much of a browser as ml5 asks for when it is loaded.
const nothing = new Proxy(function () {}, {
  get: (_, key) => {
    if (key === Symbol.toPrimitive) return () => "";
    if (key === "length") return 0;
    if (key === "getContext") return () => null;
    return nothing;
  },
  set: () => true,
  apply: () => nothing,
  construct: () => ({}),
});
const page = { href: "http://127.0.0.1/", protocol: "http:", host: "127.0.0.1", search: "" };
Object.assign(globalThis, { window: globalThis, self: globalThis, document: nothing, location: page });
for (const name of ["HTMLVideoElement", "HTMLImageElement", "HTMLCanvasElement", "HTMLElement",
  "ImageData", "Image", "AudioContext"]) globalThis[name] = class {};
globalThis.addEventListener = () => {};
Object.defineProperty(globalThis, "navigator", { value: { userAgent: "node", platform: "", vendor: "" } });
globalThis.XMLHttpRequest = class {
  open(_, url) { this.url = url; }
  setRequestHeader() {}
  getAllResponseHeaders() { return ""; }
  send() {
    http.get(this.url, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => {
        const bytes = Buffer.concat(parts);
        const binary = this.responseType === "arraybuffer";
        this.response = binary ? new Uint8Array(bytes).buffer : bytes.toString();
        if (!binary) this.responseText = this.response;
        Object.assign(this, { status: 200, readyState: 4, responseURL: this.url });
        for (const done of ["onreadystatechange", "onloadend", "onload"]) this[done]?.();
      });
    });
  }
};

const server = http.createServer((request, response) => response.end(fs.readFileSync(`.${request.url}`)));
server.listen(0, "127.0.0.1", async () => {
  console.log = () => {};
  console.warn = () => {};
  console.error = () => {};
  const ml5 = require("ml5");
  const seen = [];
  for (const [name, changed] of [["whole", null], ["second", 1], ["third", 2]]) {
    write(name, changed);
    const model = ml5.charRNN(`http://127.0.0.1:${server.address().port}/${name}`);
    await model.ready;
    await model.generate({ seed: "abcde", length: 1, temperature: 1 });
    seen.push(Array.from(model.probabilities, (p) => p.toFixed(6)).join(" "));
    process.stdout.write(`${name.padEnd(7)} ${seen.at(-1)}\n`);
  }
  const [whole, second, third] = seen;
  process.exit(whole === third && whole !== second ? 0 : 1);
});
JS
if node run.js; then
    echo "ml5 0.12.2 still takes the second layer's output: the third changes nothing"
else
    echo "ml5 0.12.2 no longer does what was seen" >&2
    exit 1
fi
