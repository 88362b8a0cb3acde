"use strict";

/** The operations of a recorded step: what they mean stands in `charrnn.recording.interpreter`. */
charrnn.operations = (() => {
  const { sizeOf, stridesOf, fresh, placesOf, gathered, broadcast, expanded } = charrnn.arrays;
  const PANEL = 8; // columns of a matrix that a product computes at the same time

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
    zeros_like(_, y) {
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
    mod(a, b, y, p, q) {
      // with the divisor's sign, as in Python
      for (let i = 0; i < y.length; i++) {
        const divisor = b[i * q];
        const rest = a[i * p] % divisor;
        y[i] = rest !== 0 && rest < 0 !== divisor < 0 ? rest + divisor : rest;
      }
    },
  };

  function unary(name, x) {
    const value = fresh(x.shape);
    const from = x.data;
    const to = value.data;
    const apply = UNARY[name];
    value.run = () => apply(from, to);
    return value;
  }

  function binary(name, left, right) {
    const shape = broadcast(left.shape, right.shape);
    const [a, b] = [expanded(left, shape), expanded(right, shape)];
    const before = [a, b].filter((each) => each !== left && each !== right && each.run);
    const value = fresh(shape);
    const [x, y, to] = [a.data, b.data, value.data];
    const apply = BINARY[name];
    const [p, q] = [x, y].map((each) => (each.length === to.length ? 1 : 0));
    value.run = () => {
      for (const each of before) each.run();
      apply(x, y, to, p, q);
    };
    return value;
  }

  /**
   * A matrix [K, N] in panels of eight columns: the eight numbers of a row lie side by side, so
   * that a product runs once through all of them. The columns that are left follow one by one.
   */
  function panelled(matrix, depth, width, target) {
    const whole = width - (width % PANEL);
    let place = 0;
    for (let column = 0; column < whole; column += PANEL) {
      for (let row = 0; row < depth; row++) {
        for (let i = 0; i < PANEL; i++) target[place++] = matrix[row * width + column + i];
      }
    }
    for (let column = whole; column < width; column++) {
      for (let row = 0; row < depth; row++) target[place++] = matrix[row * width + column];
    }
    return target;
  }

  /** y [N] = x [K] times a matrix in panels, from a place in y on; eight sums side by side. */
  function product(x, panels, y, start) {
    const depth = x.length;
    const end = start + panels.length / depth;
    let place = 0,
      n = start;
    for (; n + PANEL <= end; n += PANEL) {
      let a = 0,
        b = 0,
        c = 0,
        d = 0,
        e = 0,
        f = 0,
        g = 0,
        h = 0;
      for (let k = 0; k < depth; k++, place += PANEL) {
        const each = x[k];
        a += panels[place] * each;
        b += panels[place + 1] * each;
        c += panels[place + 2] * each;
        d += panels[place + 3] * each;
        e += panels[place + 4] * each;
        f += panels[place + 5] * each;
        g += panels[place + 6] * each;
        h += panels[place + 7] * each;
      }
      y[n] = a;
      y[n + 1] = b;
      y[n + 2] = c;
      y[n + 3] = d;
      y[n + 4] = e;
      y[n + 5] = f;
      y[n + 6] = g;
      y[n + 7] = h;
    }
    for (; n < end; n++) {
      let sum = 0;
      for (let k = 0; k < depth; k++) sum += panels[place++] * x[k];
      y[n] = sum;
    }
  }

  /** The shape of a product, as in NumPy, and the size of its matrix. */
  function productShape(left, right) {
    const vector = right.length === 1;
    const [depth, width] = vector ? [right[0], 1] : right.slice(-2);
    const ahead = right.slice(0, -2);
    if (sizeOf(ahead) !== 1) throw new Error("products with several matrices are not known here");
    const rows = left.slice(0, -1);
    const missing = Math.max(0, ahead.length + Math.min(1, rows.length) - rows.length);
    const shape = [...new Array(missing).fill(1), ...rows, ...(vector ? [] : [width])];
    return { shape, depth, width };
  }

  function matmul(left, right) {
    const { shape, depth, width } = productShape(left.shape, right.shape);
    const value = fresh(shape);
    const x = left.data;
    const y = value.data;
    const matrix = right.data;
    const size = depth * width;
    const row = new Float64Array(depth); // in double precision: converted once, not in each product
    const panels = right.panels ?? new Float32Array(size);
    if (right.fixed && !right.panels) right.panels = panelled(matrix, depth, width, panels);
    const varying = right.fixed ? null : matrix;
    value.run = () => {
      if (varying) panelled(varying, depth, width, panels);
      for (let base = 0, start = 0; base < x.length; base += depth, start += width) {
        for (let k = 0; k < depth; k++) row[k] = x[base + k];
        product(row, panels, y, start);
      }
    };
    return value;
  }

  function take(table, ids) {
    const width = sizeOf(table.shape.slice(1));
    const value = fresh([...ids.shape, ...table.shape.slice(1)]);
    const from = table.data;
    const rows = ids.data;
    const to = value.data;
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
    const [outer, inner, place] = around(x.shape, axis);
    const count = x.shape[place];
    const value = fresh(x.shape.map((size, each) => (each === place ? 1 : size)));
    const from = x.data;
    const to = value.data;
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
    const value = fresh(shape);
    const to = value.data;
    const sources = parts.map((each) => each.data);
    const widths = parts.map((each) => each.shape[place] * inner);
    const row = shape[place] * inner;
    value.run = () => {
      for (let o = 0; o < outer; o++) {
        let start = o * row;
        for (let part = 0; part < sources.length; part++) {
          const from = sources[part];
          const width = widths[part];
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
    const strides = stridesOf(x.shape);
    const shape = [];
    const steps = [];
    let offset = 0,
      axis = 0;
    for (const place of places) {
      if (place === "new") {
        shape.push(1);
        steps.push(0);
        continue;
      }
      const size = x.shape[axis];
      const step = strides[axis++];
      if (Array.isArray(place)) {
        const from = bound(place[0], size, 0);
        const to = bound(place[1], size, size);
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
      case "constant":
        return constant(more);
      case "index":
        return index(inputs[0], more);
      case "concatenate":
        return concatenate(inputs, more);
      case "mean":
        return mean(inputs[0], more);
      case "transpose":
        return transposed(inputs[0]);
      case "take":
        return take(...inputs);
      case "matmul":
        return matmul(...inputs);
    }
    if (name in UNARY) return unary(name, inputs[0]);
    if (name in BINARY) return binary(name, ...inputs);
    throw new Error(`the operation ${name} is not known here`);
  }

  return { made };
})();
