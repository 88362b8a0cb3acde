"use strict";

/**
 * Runs a recorded network: the operations of `charrnn.recording.interpreter`, for one text.
 *
 * Each operation becomes a function with its arrays bound to it, once, at the start. Reading a
 * character calls them one after the other; nothing is allocated then.
 */
charrnn.network = (() => {
  const sizeOf = (shape) => shape.reduce((product, each) => product * each, 1);

  /** Steps between neighbours along each axis of a contiguous array. */
  function stridesOf(shape) {
    const strides = new Array(shape.length);
    let step = 1;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      strides[axis] = step;
      step *= shape[axis];
    }
    return strides;
  }

  const fresh = (shape) => ({ shape, data: new Float32Array(sizeOf(shape)), run: null });

  /** Where each entry of an array of this shape stands in another, by strides and an offset. */
  function placesOf(shape, strides, offset = 0) {
    let places = Int32Array.of(offset);
    shape.forEach((size, axis) => {
      const longer = new Int32Array(places.length * size);
      for (let place = 0; place < longer.length; place++) {
        longer[place] = places[Math.floor(place / size)] + (place % size) * strides[axis];
      }
      places = longer;
    });
    return places;
  }

  /** The entries at these places: a view where they lie side by side, else copied at each run. */
  function gathered(source, shape, places) {
    const first = places[0] ?? 0;
    if (places.every((place, number) => place === first + number)) {
      return { shape, data: source.subarray(first, first + places.length), run: null };
    }
    const value = fresh(shape), target = value.data;
    value.run = () => {
      for (let place = 0; place < target.length; place++) target[place] = source[places[place]];
    };
    return value;
  }

  const UNARY = {
    sigmoid(x, y) {
      for (let i = 0; i < y.length; i++) y[i] = 1 / (1 + Math.exp(-x[i]));
    },
    tanh(x, y) {
      for (let i = 0; i < y.length; i++) y[i] = 1 - 2 / (Math.exp(2 * x[i]) + 1);
    },
    softplus(x, y) {
      for (let i = 0; i < y.length; i++) {
        y[i] = Math.max(x[i], 0) + Math.log1p(Math.exp(-Math.abs(x[i])));
      }
    },
    sign(x, y) {
      for (let i = 0; i < y.length; i++) y[i] = Math.sign(x[i]);
    },
    sqrt(x, y) {
      for (let i = 0; i < y.length; i++) y[i] = Math.sqrt(x[i]);
    },
    square(x, y) {
      for (let i = 0; i < y.length; i++) y[i] = x[i] * x[i];
    },
    zeros_like(x, y) {
      y.fill(0);
    },
  };

  /** Of two arrays; the steps are 1, or 0 where an array has a single entry. */
  const BINARY = {
    add(a, b, y, p, q) {
      for (let i = 0; i < y.length; i++) y[i] = a[i * p] + b[i * q];
    },
    subtract(a, b, y, p, q) {
      for (let i = 0; i < y.length; i++) y[i] = a[i * p] - b[i * q];
    },
    multiply(a, b, y, p, q) {
      for (let i = 0; i < y.length; i++) y[i] = a[i * p] * b[i * q];
    },
    divide(a, b, y, p, q) {
      for (let i = 0; i < y.length; i++) y[i] = a[i * p] / b[i * q];
    },
    maximum(a, b, y, p, q) {
      for (let i = 0; i < y.length; i++) y[i] = Math.max(a[i * p], b[i * q]);
    },
    minimum(a, b, y, p, q) {
      for (let i = 0; i < y.length; i++) y[i] = Math.min(a[i * p], b[i * q]);
    },
    mod(a, b, y, p, q) { // with the divisor's sign, as in Python
      for (let i = 0; i < y.length; i++) {
        const divisor = b[i * q], rest = a[i * p] % divisor;
        y[i] = rest !== 0 && rest < 0 !== divisor < 0 ? rest + divisor : rest;
      }
    },
  };

  function unary(name, x) {
    const value = fresh(x.shape), from = x.data, to = value.data, apply = UNARY[name];
    value.run = () => apply(from, to);
    return value;
  }

  /** The shape that two shapes are broadcast to. */
  function broadcast(a, b) {
    const length = Math.max(a.length, b.length);
    const padded = (shape) => [...new Array(length - shape.length).fill(1), ...shape];
    const right = padded(b);
    return padded(a).map((size, axis) => (size === 1 ? right[axis] : size));
  }

  /** A value spread out to a shape, unless all its entries, or its single one, serve as they are. */
  function expanded(x, shape) {
    const size = sizeOf(x.shape);
    if (size === 1 || size === sizeOf(shape)) return x;
    const missing = shape.length - x.shape.length, strides = stridesOf(x.shape);
    const steps = shape.map((_, axis) => (x.shape[axis - missing] > 1 ? strides[axis - missing] : 0));
    return gathered(x.data, shape, placesOf(shape, steps));
  }

  function binary(name, left, right) {
    const shape = broadcast(left.shape, right.shape);
    const [a, b] = [expanded(left, shape), expanded(right, shape)];
    const before = [a, b].filter((each) => each !== left && each !== right && each.run);
    const value = fresh(shape), [x, y, to] = [a.data, b.data, value.data], apply = BINARY[name];
    const [p, q] = [x, y].map((each) => (each.length === to.length ? 1 : 0));
    value.run = () => {
      for (const each of before) each.run();
      apply(x, y, to, p, q);
    };
    return value;
  }

  /** [N, K] from [K, N], so that a product reads its rows from left to right. */
  function transpose(matrix, rows, columns, target) {
    const BLOCK = 32; // so that both sides stay in the cache
    for (let top = 0; top < rows; top += BLOCK) {
      const bottom = Math.min(rows, top + BLOCK);
      for (let column = 0; column < columns; column++) {
        for (let row = top; row < bottom; row++) target[column * rows + row] = matrix[row * columns + column];
      }
    }
    return target;
  }

  /** y [M, N] = x [M, K] times the transpose of w [N, K]; four sums side by side. */
  function product(x, w, y, depth, width) {
    const whole = width - (width % 4);
    for (let base = 0, out = 0; base < x.length; base += depth, out += width) {
      for (let n = 0; n < whole; n += 4) {
        const p = n * depth, q = p + depth, r = q + depth, s = r + depth;
        let a = 0, b = 0, c = 0, d = 0;
        for (let k = 0; k < depth; k++) {
          const each = x[base + k];
          a += w[p + k] * each;
          b += w[q + k] * each;
          c += w[r + k] * each;
          d += w[s + k] * each;
        }
        y[out + n] = a;
        y[out + n + 1] = b;
        y[out + n + 2] = c;
        y[out + n + 3] = d;
      }
      for (let n = whole; n < width; n++) {
        let sum = 0;
        for (let k = 0; k < depth; k++) sum += w[n * depth + k] * x[base + k];
        y[out + n] = sum;
      }
    }
  }

  function matmul(left, right) {
    if (right.shape.length !== 2) throw new Error("only products with matrices are known here");
    const [depth, width] = right.shape;
    const value = fresh([...left.shape.slice(0, -1), width]);
    const x = left.data, y = value.data, matrix = right.data;
    if (right.fixed) {
      right.rows ??= transpose(matrix, depth, width, new Float32Array(depth * width));
      const { rows } = right;
      value.run = () => product(x, rows, y, depth, width);
    } else {
      const rows = new Float32Array(depth * width);
      value.run = () => product(x, transpose(matrix, depth, width, rows), y, depth, width);
    }
    return value;
  }

  function take(table, ids) {
    const width = sizeOf(table.shape.slice(1)), value = fresh([...ids.shape, ...table.shape.slice(1)]);
    const from = table.data, rows = ids.data, to = value.data;
    value.run = () => {
      for (let row = 0; row < rows.length; row++) {
        const start = rows[row] * width;
        for (let i = 0; i < width; i++) to[row * width + i] = from[start + i];
      }
    };
    return value;
  }

  /** Outer and inner sizes around an axis, and the axis itself from the front. */
  function around(shape, axis) {
    const place = axis < 0 ? axis + shape.length : axis;
    return [sizeOf(shape.slice(0, place)), sizeOf(shape.slice(place + 1)), place];
  }

  function mean(x, axis) {
    const [outer, inner, place] = around(x.shape, axis), count = x.shape[place];
    const value = fresh(x.shape.map((size, each) => (each === place ? 1 : size)));
    const from = x.data, to = value.data;
    value.run = () => {
      for (let i = 0; i < outer * inner; i++) {
        const start = Math.floor(i / inner) * count * inner + (i % inner);
        let sum = 0;
        for (let k = 0; k < count; k++) sum += from[start + k * inner];
        to[i] = sum / count;
      }
    };
    return value;
  }

  function concatenate(parts, axis) {
    const [outer, inner, place] = around(parts[0].shape, axis);
    const shape = [...parts[0].shape];
    shape[place] = parts.reduce((sum, each) => sum + each.shape[place], 0);
    const value = fresh(shape), to = value.data, sources = parts.map((each) => each.data);
    const widths = parts.map((each) => each.shape[place] * inner), row = shape[place] * inner;
    value.run = () => {
      for (let o = 0; o < outer; o++) {
        let start = o * row;
        for (let part = 0; part < sources.length; part++) {
          const from = sources[part], width = widths[part];
          for (let i = 0; i < width; i++) to[start + i] = from[o * width + i];
          start += width;
        }
      }
    };
    return value;
  }

  function transposed(x) {
    const shape = [...x.shape].reverse();
    return gathered(x.data, shape, placesOf(shape, stridesOf(x.shape).reverse()));
  }

  /** A bound of a slice, counted from the front. */
  function bound(given, size, otherwise) {
    if (given === null) return otherwise;
    return Math.min(size, Math.max(0, given < 0 ? given + size : given));
  }

  function index(x, places) {
    const strides = stridesOf(x.shape), shape = [], steps = [];
    let offset = 0, axis = 0;
    for (const place of places) {
      if (place === "new") {
        shape.push(1);
        steps.push(0);
        continue;
      }
      const size = x.shape[axis], step = strides[axis++];
      if (Array.isArray(place)) {
        const from = bound(place[0], size, 0), to = bound(place[1], size, size);
        shape.push(Math.max(0, to - from));
        steps.push(step);
        offset += from * step;
      } else {
        offset += (place < 0 ? place + size : place) * step;
      }
    }
    shape.push(...x.shape.slice(axis));
    steps.push(...strides.slice(axis));
    return gathered(x.data, shape, placesOf(shape, steps, offset));
  }

  function constant(nested) {
    const shape = [];
    for (let each = nested; Array.isArray(each); each = each[0]) shape.push(each.length);
    return { shape, data: Float32Array.from([nested].flat(Infinity)), run: null };
  }

  /** The value of an operation on values; what it computes stands in its `data` after each run. */
  function made(name, inputs, more) {
    switch (name) {
      case "constant": return constant(more);
      case "index": return index(inputs[0], more);
      case "concatenate": return concatenate(inputs, more);
      case "mean": return mean(inputs[0], more);
      case "transpose": return transposed(inputs[0]);
      case "take": return take(...inputs);
      case "matmul": return matmul(...inputs);
    }
    if (name in UNARY) return unary(name, inputs[0]);
    if (name in BINARY) return binary(name, ...inputs);
    throw new Error(`the operation ${name} is not known here`);
  }

  /** The values that depend on the weights alone. */
  function prepare(recording, weights) {
    const values = [];
    for (const [name, inputs, more] of recording.prepare) {
      const value = name === "weight"
        ? { shape: recording.weights[more], data: weights[more], run: null }
        : made(name, inputs.map((number) => values[number]), more);
      value.run?.();
      value.fixed = true;
      values.push(value);
    }
    return values;
  }

  /** Forget matrices of which only the transpose is read: they are as large as the model. */
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
      this.runs = this.values.slice(prepared.length).map((each) => each.run).filter(Boolean);
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
      return Object.fromEntries(Object.entries(this.state).map(([name, part]) => [name, part.slice()]));
    }

    setState(state) {
      for (const [name, part] of Object.entries(this.state)) part.set(state[name]);
    }

    build() {
      const values = [...this.prepared];
      for (const [name, inputs, more] of this.recording.step) {
        if (name === "ids") values.push({ shape: [1], data: this.ids, run: null });
        else if (name === "state") {
          values.push({ shape: [1, this.state[more].length], data: this.state[more], run: null });
        } else values.push(made(name, inputs.map((number) => values[number]), more));
      }
      return values;
    }

    /** Pairs of arrays to copy after each step: the new state onto the old. */
    carried() {
      const before = Object.values(this.state);
      const buffers = new Set(before.map((part) => part.buffer));
      const pairs = this.recording.state.map((number, place) => [this.value(number), before[place]]);
      // A part of the old state that goes on elsewhere is put aside first.
      const aside = pairs.filter(([from, to]) => buffers.has(from.buffer) && from !== to);
      const copies = aside.map(([from]) => [from, new Float32Array(from.length)]);
      return [
        ...copies,
        ...pairs.map(([from, to]) => [copies[aside.findIndex((pair) => pair[1] === to)]?.[1] ?? from, to]),
      ];
    }
  }

  return { Network };
})();
