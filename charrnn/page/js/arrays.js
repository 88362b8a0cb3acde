"use strict";

/**
 * Arrays as shapes over contiguous numbers, and what can be done with shapes alone.
 *
 * An array is { shape, data, run }: `run` computes `data` anew, and is null where nothing has to be
 * computed.
 */
charrnn.arrays = (() => {
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
    const value = fresh(shape);
    const target = value.data;
    value.run = () => {
      for (let place = 0; place < target.length; place++) target[place] = source[places[place]];
    };
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
    const missing = shape.length - x.shape.length;
    const strides = stridesOf(x.shape);
    const steps = shape.map((_, axis) =>
      x.shape[axis - missing] > 1 ? strides[axis - missing] : 0,
    );
    return gathered(x.data, shape, placesOf(shape, steps));
  }

  return { sizeOf, stridesOf, fresh, placesOf, gathered, broadcast, expanded };
})();
