"use strict";

/**
 * Runs a recorded network: the operations of `charrnn.recording.interpreter`, for one text.
 *
 * Each operation becomes a function with its arrays bound to it, once, at the start. Reading a
 * character calls them one after the other; nothing is allocated then.
 */
charrnn.network = (() => {
  const { made } = charrnn.operations;

  /** The values that depend on the weights alone. */
  function prepare(recording, weights) {
    const values = [];
    for (const [name, inputs, more] of recording.prepare) {
      const given = inputs.map((number) => values[number]);
      const value =
        name === "weight"
          ? { shape: recording.weights[more], data: weights[more], run: null }
          : made(name, given, more);
      value.run?.();
      value.run = null; // it would keep what it reads in memory
      value.fixed = true;
      values.push(value);
    }
    return values;
  }

  /** Forget matrices that are read in panels alone: they are as large as the model. */
  function release(prepared, step) {
    const read = new Set();
    for (const [name, inputs] of step) {
      inputs.forEach((number, place) => {
        if (name !== "matmul" || place === 0) read.add(number);
      });
    }
    prepared.forEach((value, number) => {
      if (!read.has(number)) value.data = null;
    });
  }

  class Network {
    /** From a recording and its weights, Float32Array by name. */
    constructor(recording, weights, prepared = prepare(recording, weights)) {
      this.recording = recording;
      this.prepared = prepared;
      this.ids = Int32Array.of(0);
      /** The parts of the state by name, Float32Array each. */
      this.state = {};
      for (const [name, width] of Object.entries(recording.states)) {
        this.state[name] = new Float32Array(width);
      }
      this.values = this.build();
      this.logits = this.values[recording.logits].data;
      this.runs = this.values
        .slice(prepared.length)
        .map((each) => each.run)
        .filter(Boolean);
      this.carry = this.carried();
      release(prepared, recording.step);
    }

    /** Another text in the same network: it has its own state, and shares the weights. */
    twin() {
      return new Network(this.recording, null, this.prepared);
    }

    /** Start a text at the zero state. */
    start() {
      for (const part of Object.values(this.state)) part.fill(0);
    }

    /** The logits after one more character, [V]; the next call overwrites them. */
    read(id) {
      this.ids[0] = id;
      for (const run of this.runs) run();
      for (const [from, to] of this.carry) to.set(from);
      return this.logits;
    }

    /** What an operation of the step computed for the character read last. */
    value(number) {
      return this.values[number].data;
    }

    copyState() {
      return Object.fromEntries(
        Object.entries(this.state).map(([name, part]) => [name, part.slice()]),
      );
    }

    setState(state) {
      for (const [name, part] of Object.entries(this.state)) part.set(state[name]);
    }

    build() {
      const values = [...this.prepared];
      for (const [name, inputs, more] of this.recording.step) {
        const given = inputs.map((number) => values[number]);
        if (name === "ids") values.push({ shape: [1], data: this.ids, run: null });
        else if (name === "state") values.push(this.part(more));
        else values.push(made(name, given, more));
      }
      return values;
    }

    part(name) {
      const data = this.state[name];
      return { shape: [1, data.length], data, run: null };
    }

    /** Pairs of arrays to copy after each step, in this order: the new state onto the old. */
    carried() {
      const parts = Object.values(this.state);
      const old = new Set(parts.map((part) => part.buffer));
      const aside = [];
      const pairs = this.recording.state.map((number, place) => {
        const from = this.value(number);
        if (!old.has(from.buffer)) return [from, parts[place]];
        const copy = new Float32Array(from.length); // a part of the old state that goes on
        aside.push([from, copy]);
        return [copy, parts[place]];
      });
      return [...aside, ...pairs];
    }
  }

  return { Network };
})();
