"""Why gates: gradients that vanish or explode over 100 steps, clipping, and the cliff behind it.

R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural networks",
ICML 2013. The gradient goes back through time by one factor for each step,

    dE/dh_t = dE/dh_T  ·  product over k = t+1 … T of dh_k/dh_{k-1}

so over many steps it shrinks to nothing or grows without limit. An LSTM's cell state has the forget
gate for a factor (S. Hochreiter and J. Schmidhuber 1997), and a gate near 1 lets the gradient pass:
its bias b is to suit the length, b = ln T (C. Tallec and Y. Ollivier, arXiv:1804.11188, 2018).
The cure for a gradient that explodes is to clip it:  g <- g · limit / ‖g‖  where ‖g‖ > limit.

    pip install '.[examples]'
    python examples/vanishing.py vanishing.png

The picture has three parts. Left: how strongly the last state depends on what was read at each
step before. Middle: the gradient's norm while an RNN and an LSTM learn to say, after 100 steps,
what the first symbol was. Right: the error of one unit, h_t = w sigmoid(h_{t-1}) + b, after 50
steps, and the way of gradient descent: at the cliff it is thrown out of the valley where it is not
clipped (figure 6 of the paper).

What to expect: less than two minutes on two cores of an AMD EPYC. Back over 100 steps the RNN's
gradient shrinks to 0.0000009 of its norm or grows 2,100 times, as its gain is 0.9 or 1.5; the
LSTM's shrinks to 0.00000004 with a forget bias of 1, and grows 14 times with ln 100. The RNN ends
worse than a guess (0.829 nats; a guess has 0.693) where it is not clipped, and at 0.000 where it
is; the LSTM at 0.001 in both ways.
"""

from pathlib import Path

from common import PICTURE, fix_seed, number_option, print_figures, to_draw

import click
import keras
import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm import trange

from charrnn.layers import LSTM, RNN

BATCH = 32
TARGET = 0.7  # of the single unit's output
LEARNING_RATE = 0.2  # of its descent
START = (4.8, -2.0)  # its w and b
LIMITS = {"not clipped": None, "clipped": 1.0}  # of the gradient's norm, while a layer learns
LIMIT = 0.2  # the same, on the cliff


def rnn(units: int, gain: float) -> keras.layers.Layer:
    """h_t = tanh(W x_t + U h_{t-1} + b); U turns h, and makes it longer by the gain."""
    return RNN("rnn", units, recurrent_initializer=keras.initializers.Orthogonal(gain))


def lstm(units: int, forget_bias: float) -> keras.layers.Layer:
    """An LSTM whose forget gates start near sigmoid(forget_bias)."""
    layer = LSTM(units)
    layer.build((None, None, units))
    kernel, recurrent_kernel, bias = layer.get_weights()
    bias[units : 2 * units] = forget_bias  # the order is: input, forget, candidate, output
    layer.set_weights([kernel, recurrent_kernel, bias])
    return layer


def gradient_norms(layer: keras.layers.Layer, steps: int, units: int) -> np.ndarray:
    """What the last state owes to each step t: the norm of d(sum of h_T) / dx_t, float32 [T]."""
    x = 0.1 * keras.random.normal((BATCH, steps, units))
    with tf.GradientTape() as tape:
        tape.watch(x)
        last = tf.reduce_sum(layer(x))
    return tf.norm(tape.gradient(last, x), axis=-1).numpy().mean(0)


def first_symbols(steps: int, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Sequences [B, T, units] of noise whose first symbol is all 1 or all -1; and which, [B, 1]."""
    x = 0.1 * np.random.normal(size=(BATCH, steps, units))
    which = np.random.choice([0.0, 1.0], size=(BATCH, 1))
    x[:, 0] = 2 * which - 1
    return x.astype("float32"), which.astype("float32")


def norms_while_learning(
    layer: keras.layers.Layer, limit: float | None, updates: int, steps: int, units: int
) -> tuple[np.ndarray, np.ndarray]:
    """Learn which the first symbol was. The gradient's norm and the loss before each update."""
    model = keras.Sequential([keras.Input((steps, units)), layer, keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD(0.3, global_clipnorm=limit)  # g <- g limit / |g|, if longer

    @tf.function
    def update(x: tf.Tensor, which: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = keras.losses.binary_crossentropy(which, model(x), from_logits=True)
            loss = tf.reduce_mean(loss)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return tf.linalg.global_norm(gradients), loss

    seen = [update(*first_symbols(steps, units)) for _ in trange(updates)]
    norms, losses = np.array(seen).T
    return norms, losses


def cliff(w: np.ndarray, b: np.ndarray, steps: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Error of h_t = w s(h_{t-1}) + b from h_0 = 1/2, s the sigmoid, and its gradient [2, …]."""
    h = np.full(np.shape(w), 0.5)
    dh = np.zeros((2, *np.shape(w)))  # dh_t/dw and dh_t/db
    for _ in range(steps):
        s = 1 / (1 + np.exp(-h))
        dh = np.stack([s, np.ones_like(s)]) + w * s * (1 - s) * dh
        h = w * s + b
    s = 1 / (1 + np.exp(-h))
    return (s - TARGET) ** 2, 2 * (s - TARGET) * s * (1 - s) * dh


def descent(limit: float | None, updates: int = 60) -> np.ndarray:
    """The way of gradient descent over the error of `cliff`: w and b, [updates + 1, 2]."""
    way = [np.array(START)]
    for _ in range(updates):
        _, gradient = cliff(*way[-1])
        norm = np.linalg.norm(gradient)
        way.append(way[-1] - LEARNING_RATE * gradient * min(1, (limit or np.inf) / norm))
    return np.array(way)


def draw_lines(axes: Axes, lines: dict[str, np.ndarray], title: str, x: str) -> None:
    """Lines over their index, on a logarithmic scale, with their names."""
    for name, values in lines.items():
        axes.semilogy(values, label=name)
    axes.set(title=title, xlabel=x)
    axes.legend()


def draw_cliff(axes: Axes, ways: dict[str, np.ndarray]) -> None:
    """The error as heights, and each way of gradient descent over it."""
    w, b = np.meshgrid(np.linspace(4, 6, 400), np.linspace(-3, -0.8, 400))
    heights = axes.contourf(w, b, cliff(w, b)[0], levels=30, cmap="viridis")
    axes.figure.colorbar(heights, label="error")
    for (name, way), color in zip(ways.items(), ("tab:red", "white"), strict=True):
        axes.plot(*way.T, ".-", color=color, label=name)
    axes.set(title="The cliff in the error of one unit", xlabel="w", ylabel="b")
    axes.legend(facecolor="gray")


@click.command()
@click.argument("picture", type=PICTURE, callback=to_draw)
@number_option("--steps", 100, "Length of the sequences.")
@number_option("--updates", 500, "Of the weights, in the middle.")
@number_option("--units", 32, "Units of the layers.")
@click.option("--seed", default=1, show_default=True, help="Of the weights and the sequences.")
def main(picture: Path, steps: int, updates: int, units: int, seed: int) -> None:
    """Draw how gradients vanish and explode, and what clipping does, into the file PICTURE."""
    figure = Figure(figsize=(16, 5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)

    fix_seed(seed)
    layers = {
        "RNN, gain 0.9": rnn(units, 0.9),
        "RNN, gain 1.5": rnn(units, 1.5),
        "LSTM, forget bias 1": lstm(units, 1.0),
        "LSTM, forget bias ln T": lstm(units, np.log(steps)),
    }
    reach = {name: gradient_norms(layer, steps, units) for name, layer in layers.items()}
    draw_lines(left, reach, "Norm of the gradient of h_T for x_t", "step t")
    shares = [(name, f"{norms[0] / norms[-1]:.1e}") for name, norms in reach.items()]
    print_figures(f"Norm of the gradient at step 1, divided by that at step {steps}", shares)

    norms, figures = {}, [("a guess", f"{'':9}  {np.log(2):.3f}")]
    for kind, layer in (("RNN", rnn), ("LSTM", lstm)):
        for words, limit in LIMITS.items():
            name = f"{kind}, {words}"
            fix_seed(seed)
            start = layer(units, 1.5 if layer is rnn else np.log(steps))
            norms[name], losses = norms_while_learning(start, limit, updates, steps, units)
            figures.append((name, f"{norms[name].max():9.3g}  {losses[-20:].mean():.3f}"))
    draw_lines(middle, norms, f"Norm of the gradient over {steps} steps", "update")
    print_figures(f"The first of {steps} symbols: largest gradient, loss at the end", figures)

    ways = {"not clipped": descent(None), "clipped": descent(LIMIT)}
    draw_cliff(right, ways)
    errors = [(name, f"{cliff(*way[-1])[0]:.4f}") for name, way in ways.items()]
    print_figures("Error of one unit after gradient descent near the cliff", errors)
    figure.savefig(picture)


if __name__ == "__main__":
    main()
