"use strict";

/** The sheet of paper: a text that grows, in blocks, so that a long one stays fast. */
charrnn.sheet = (() => {
  const BLOCK = 1000; // characters after which the next line begins a new block
  const backward = charrnn.data.backward;

  class Sheet {
    constructor(element) {
      this.element = element;
      this.show("", "");
    }

    /** Show a prompt with the text that is written to it. */
    show(prompt, text) {
      const mark = document.createElement("span");
      mark.className = "prompt";
      mark.textContent = prompt;
      this.element.replaceChildren();
      this.element.scrollTop = 0;
      this.block();
      if (prompt) this.block_.append(mark);
      this.text = document.createTextNode("");
      if (backward) this.block_.prepend(this.text);
      else this.block_.append(this.text);
      this.shown = "";
      this.update(text);
    }

    /** Show a text that has grown, at its end or, written backward, at its beginning. */
    update(text) {
      const added = text.length - this.shown.length;
      if (backward) this.text.insertData(0, text.slice(0, added));
      else this.append(text.slice(this.shown.length));
      this.shown = text;
    }

    /** Bring into view where a text that goes on will be written. */
    showEnd() {
      this.element.scrollTop = backward ? 0 : this.element.scrollHeight;
    }

    append(piece) {
      while (piece) {
        const room = Math.max(0, BLOCK - this.text.length);
        const line = piece.indexOf("\n", room);
        const end = line < 0 ? piece.length : line + 1;
        this.text.appendData(piece.slice(0, end));
        piece = piece.slice(end);
        if (line >= 0) {
          this.block();
          this.text = document.createTextNode("");
          this.block_.append(this.text);
        }
      }
    }

    block() {
      this.block_ = document.createElement("div");
      this.block_.dir = "auto";
      this.element.append(this.block_);
    }
  }

  return { Sheet };
})();
