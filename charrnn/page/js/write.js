"use strict";

/** The controls: what a person does with the text. */
charrnn.write = (() => {
  const SLICE_MS = 24; // of writing before the browser has its turn
  const TOLD_MS = 400; // between two events of a text that is still being written
  const UNDONE = 100; // texts that can be gone back to
  const { choices } = charrnn;
  const byId = (id) => document.getElementById(id);

  /** Lets the browser draw and answer, then calls back; in a hidden window too. */
  function later(callback) {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      callback();
    };
    port2.postMessage(null);
  }

  class Desk {
    constructor(network) {
      this.writer = new charrnn.writer.Writer(network);
      this.sheet = new charrnn.sheet.Sheet(byId("text"));
      this.before = []; // snapshots of earlier texts
      this.writing = false;
      this.listen();
      this.refresh();
      choices.explain();
    }

    listen() {
      const actions = {
        "go-on": () => this.goOn(),
        again: () => this.again(),
        undo: () => this.undo(),
        copy: () => this.copy(),
        save: () => this.save(),
      };
      for (const [id, action] of Object.entries(actions))
        byId(id).addEventListener("click", action);
      byId("controls").addEventListener("submit", (event) => {
        event.preventDefault();
        if (this.writing) this.halt();
        else this.write();
      });
      byId("controls").addEventListener("input", choices.explain);
      document.addEventListener("keydown", (event) => this.press(event));
    }

    /** Ctrl+Enter writes wherever one is, Escape stops. */
    press(event) {
      if (event.key === "Escape" && this.writing) this.halt();
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      if (!this.writing) this.write();
    }

    /** Write a new text. */
    write() {
      if (!choices.valid()) return;
      const prompt = byId("prompt").value;
      this.remember();
      this.writer.begin(prompt, choices.settings());
      this.sheet.show(prompt, "");
      this.run();
    }

    /** Write another text: with a seed that nobody chose. */
    again() {
      choices.changeSeed();
      this.write();
    }

    /** Write on, with the settings as they are now; a seed that was not typed stays. */
    goOn() {
      if (!choices.valid()) return;
      this.remember();
      this.writer.proceed(choices.settings(this.writer.settings.seed));
      this.sheet.showEnd();
      this.run();
    }

    undo() {
      this.writer.restore(this.before.pop());
      this.sheet.show(this.writer.prompt, this.writer.text);
      this.tell("");
      this.refresh();
    }

    remember() {
      if (!this.writer.position) return;
      this.before.push(this.writer.snapshot());
      if (this.before.length > UNDONE) this.before.shift();
    }

    run() {
      this.writing = true;
      this.began = performance.now();
      this.from = this.writer.position;
      this.told = -Infinity;
      this.refresh();
      later(() => this.slice());
    }

    /** Write for a moment. */
    slice() {
      if (!this.writing) return;
      const end = performance.now() + SLICE_MS;
      try {
        while (!this.writer.done && performance.now() < end) this.writer.step();
      } catch (error) {
        this.halt();
        byId("status").textContent = error.message;
        return;
      }
      if (this.writer.done) {
        this.halt();
        return;
      }
      this.sheet.update(this.writer.text);
      this.tellSometimes();
      later(() => this.slice());
    }

    /** Come to an end, whether the text has or the person wants it. */
    halt() {
      this.writer.finish();
      this.writing = false;
      this.sheet.update(this.writer.text);
      const count = this.writer.position - this.from;
      const rate = (1000 * count) / Math.max(1, performance.now() - this.began);
      const [written, pace] = [count, Math.round(rate)].map((each) => each.toLocaleString("en"));
      this.tell(`${written} characters, ${pace} a second`);
      this.refresh();
    }

    tellSometimes() {
      const now = performance.now();
      if (now - this.told < TOLD_MS) return;
      this.told = now;
      this.announce();
    }

    /** Say what was done, and tell the other parts of the page. */
    tell(message) {
      const { settings, position } = this.writer;
      byId("status").textContent = position
        ? [message, `seed ${settings.seed}`].filter(Boolean).join(" · ")
        : "";
      this.announce();
    }

    announce() {
      const text = this.writer.whole;
      const detail = { text, ids: charrnn.vocabulary.encode(text) };
      document.dispatchEvent(new CustomEvent("charrnn:text", { detail }));
    }

    async copy() {
      try {
        await navigator.clipboard.writeText(this.writer.whole);
      } catch {
        getSelection().selectAllChildren(byId("text"));
        document.execCommand("copy");
      }
      byId("status").textContent = "copied";
    }

    save() {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(
        new Blob([this.writer.whole], { type: "text/plain;charset=utf-8" }),
      );
      link.download = `${charrnn.data.name}.txt`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }

    /** Bring the buttons in line with what can be done now. */
    refresh() {
      const { writing, writer } = this;
      const empty = !writer.position;
      byId("write-button").textContent = writing ? "Stop" : "Write";
      for (const id of ["go-on", "again", "copy", "save"]) byId(id).disabled = writing || empty;
      byId("undo").disabled = writing || !this.before.length;
      byId("text").setAttribute("aria-busy", String(writing));
    }
  }

  return { Desk };
})();
