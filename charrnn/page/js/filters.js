"use strict";

/**
 * From logits to the distribution that the next character is drawn from.
 *
 * The filters of `charrnn.sampling.filters`, in their order, in double precision: each works on
 * logarithms of weights, and sets to -Infinity what is not to be drawn.
 */
charrnn.filters = (() => {
  const COLDEST = 1e-200;
  /** The settings with which nothing is filtered. */
  const DEFAULTS = {
    temperature: 1,
    top_k: 0,
    top_p: 1,
    min_p: 0,
    repetition_penalty: 1,
    repetition_window: 64,
  };

  /** The largest of the values. */
  function largest(values) {
    let most = -Infinity;
    for (let id = 0; id < values.length; id++) if (values[id] > most) most = values[id];
    return most;
  }

  class Filters {
    /** `size` is how many characters may be drawn: all but the unknown symbol, which stands last. */
    constructor(settings, size) {
      this.settings = { ...DEFAULTS, ...settings };
      this.weights = new Float64Array(size);
      this.cumulative = new Float64Array(size);
      this.order = new Uint32Array(size);
      this.likelierFirst = (a, b) => this.weights[b] - this.weights[a] || a - b;
    }

    /** The id to draw with a number in [0, 1); `past` has all ids so far, from the start symbol on. */
    draw(logits, past, number) {
      this.weigh(logits, past);
      const { weights, cumulative } = this;
      let total = 0;
      for (let id = 0; id < weights.length; id++) {
        total += Math.exp(weights[id]);
        cumulative[id] = total;
      }
      if (!(total > 0)) throw new Error("the model computes values that are not finite");
      const goal = number * total;
      for (let id = 0; id < weights.length; id++) if (cumulative[id] > goal) return id;
      return 0;
    }

    /** Log-weights, at most 0, from logits. */
    weigh(logits, past) {
      const { weights, settings } = this;
      for (let id = 0; id < weights.length; id++) weights[id] = logits[id];
      if (settings.repetition_penalty !== 1) this.penalize(logits, past);
      this.heat();
      if (settings.top_k > 0) this.keepFirst(settings.top_k);
      if (settings.top_p < 1) this.keepNucleus(settings.top_p);
      if (settings.min_p > 0) this.keepAbove(settings.min_p);
      return weights;
    }

    penalize(logits, past) {
      const { repetition_penalty: penalty, repetition_window: window } = this.settings;
      for (let place = Math.max(1, past.length - window); place < past.length; place++) {
        const id = past[place];
        if (id >= this.weights.length) continue; // the unknown symbol
        this.weights[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
      }
    }

    heat() {
      const { weights, settings } = this;
      const most = largest(weights);
      if (settings.temperature === 0) {
        const first = weights.indexOf(most);
        weights.fill(-Infinity);
        weights[first] = 0;
        return;
      }
      const divisor = Math.max(settings.temperature, COLDEST);
      for (let id = 0; id < weights.length; id++) weights[id] = (weights[id] - most) / divisor;
    }

    /** Put the ids into `order`, the likeliest first; of equals, those that come first. */
    sort() {
      for (let id = 0; id < this.order.length; id++) this.order[id] = id;
      this.order.sort(this.likelierFirst);
    }

    keepFirst(count) {
      this.sort();
      for (let place = count; place < this.order.length; place++)
        this.weights[this.order[place]] = -Infinity;
    }

    keepNucleus(p) {
      this.sort();
      const { weights, order } = this;
      const most = weights[order[0]];
      let sum = 0,
        reached = 0;
      for (let place = 0; place < order.length; place++)
        sum += Math.exp(weights[order[place]] - most);
      const log = Math.log(sum);
      for (let place = 0; place < order.length; place++) {
        const share = Math.exp(weights[order[place]] - most - log);
        reached += share;
        if (!(reached - share < p)) weights[order[place]] = -Infinity;
      }
    }

    keepAbove(p) {
      const { weights } = this;
      const least = largest(weights) + Math.log(p);
      for (let id = 0; id < weights.length; id++)
        if (!(weights[id] >= least)) weights[id] = -Infinity;
    }
  }

  return { DEFAULTS, Filters };
})();
