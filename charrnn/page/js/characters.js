"use strict";

/**
 * A text of which each character can be pointed at, or gone to with the arrow keys.
 *
 * One character is in the order of the Tab key (a roving tabindex); the arrows move on from it.
 */
charrnn.characters = (() => {
  const PAGE = 10; // lines that PageUp and PageDown go
  const VISIBLE = { "\n": "↵", "\t": "⇥\t", "\r": "␍" };

  class Characters {
    /**
     * `look(number)` is called for the character that is pointed at, or null where none is any
     * more; `choose(number)` for the one that was gone to.
     */
    constructor(element, { look, choose }) {
      this.element = element;
      this.choose = choose;
      this.spans = [];
      this.clear();
      element.addEventListener("pointerover", (event) => {
        if (event.pointerType === "mouse") look(this.numberOf(event.target));
      });
      element.addEventListener("pointerleave", () => look(null));
      element.addEventListener("click", (event) => this.go(this.numberOf(event.target)));
      element.addEventListener("keydown", (event) => this.key(event));
    }

    clear() {
      this.spans.length = 0;
      this.element.replaceChildren();
      this.here = null;
      this.line = null;
    }

    /** Keep so many characters, and take the others away. */
    keep(count) {
      if (!count) this.clear();
      if (this.spans.length <= count) return;
      const last = this.spans[count - 1];
      for (const span of this.spans.splice(count)) span.remove();
      while (this.element.lastChild !== last.parentElement) this.element.lastChild.remove();
      this.line = "end" in last.dataset ? null : last.parentElement;
      if (this.here >= count) this.mark(count - 1);
    }

    /** Add characters at the end. */
    extend(symbols) {
      for (const symbol of symbols) {
        if (!this.line) this.begin();
        const span = document.createElement("span");
        span.textContent = VISIBLE[symbol] ?? symbol;
        span.number = this.spans.length;
        this.spans.push(span);
        this.line.append(span);
        if (symbol === "\n") {
          span.dataset.end = "";
          this.line = null;
        }
      }
      if (this.here === null && this.spans.length) this.mark(0);
    }

    begin() {
      this.line = document.createElement("div");
      this.line.dir = "auto";
      this.element.append(this.line);
    }

    /** Give the characters from here on the class that the function tells for their number. */
    paint(style, from = 0) {
      for (let number = from; number < this.spans.length; number++) {
        this.spans[number].className = style(number);
      }
    }

    numberOf(target) {
      return target.number ?? null;
    }

    /** Make a character the one that Tab comes to. */
    mark(number) {
      this.spans[this.here]?.removeAttribute("tabindex");
      this.here = number;
      this.spans[number].tabIndex = 0;
    }

    /** Go to a character. */
    go(number) {
      if (number === null || !this.spans.length) return;
      this.mark(Math.min(Math.max(number, 0), this.spans.length - 1));
      this.spans[this.here].focus();
      this.choose(this.here);
    }

    key(event) {
      if (this.here === null || event.altKey || event.metaKey) return;
      const number = this.target(event.key, event.ctrlKey);
      if (number === undefined) return;
      event.preventDefault();
      this.go(number);
    }

    /** Where a key leads to. */
    target(key, control) {
      const { here } = this,
        forth = this.leftToRight() ? 1 : -1;
      switch (key) {
        case "ArrowRight":
          return here + forth;
        case "ArrowLeft":
          return here - forth;
        case "ArrowDown":
          return this.vertical(1);
        case "ArrowUp":
          return this.vertical(-1);
        case "PageDown":
          return this.vertical(PAGE);
        case "PageUp":
          return this.vertical(-PAGE);
        case "Home":
          return control ? 0 : this.edge(-1);
        case "End":
          return control ? this.spans.length - 1 : this.edge(1);
        case "Enter":
        case " ":
          return here;
      }
      return undefined;
    }

    leftToRight() {
      return getComputedStyle(this.spans[this.here].parentElement).direction === "ltr";
    }

    /** Whether two characters stand in the same line on the screen. */
    sameLine(a, b) {
      const [one, other] = [a, b].map((each) => this.spans[each].getBoundingClientRect());
      return Math.abs(one.top + one.bottom - other.top - other.bottom) < one.height;
    }

    /** The last character in a direction that stands in the same line. */
    edge(step) {
      let number = this.here;
      while (this.spans[number + step] && this.sameLine(this.here, number + step)) number += step;
      return number;
    }

    /** The character so many lines further down, below this one. */
    vertical(lines) {
      const step = Math.sign(lines),
        middle = this.middle(this.here);
      let number = this.here;
      for (let left = Math.abs(lines); left && this.spans[number]; left--) {
        const line = number;
        while (this.spans[number] && this.sameLine(line, number)) number += step;
      }
      if (!this.spans[number]) return step < 0 ? 0 : this.spans.length - 1;
      let best = number;
      for (const line = number; this.spans[number] && this.sameLine(line, number); number += step) {
        if (Math.abs(this.middle(number) - middle) < Math.abs(this.middle(best) - middle))
          best = number;
      }
      return best;
    }

    middle(number) {
      const { left, right } = this.spans[number].getBoundingClientRect();
      return (left + right) / 2;
    }
  }

  return { Characters };
})();
