"""Dropout whose masks are functions of a seed, so that a resumed run draws the same ones."""

from charrnn.config import MOST_LAYERS, ModelConfig
from charrnn.network.stack import Drop
from charrnn.tf.backend import tf
from charrnn.types import Tensor


def drop(x: Tensor, rate: float, seed: Tensor, place: int, shape: list | None = None) -> Tensor:
    """Inverted dropout of x, with a mask of its shape or of the one given.

    Args:
        x: Any tensor.
        rate: The share of entries that become zero.
        seed: int32 [2], the run's seed and the step.
        place: Keeps the masks of several places apart.
        shape: The mask's shape, if one mask is to serve several rows of x.
    """
    seed = seed + tf.constant([place << 20, 0])
    # Philox is named because XLA's default generator takes 70 times as long on a CPU.
    noise = tf.random.stateless_uniform(tf.shape(x) if shape is None else shape, seed, alg="philox")
    return tf.where(noise < rate, tf.zeros((), x.dtype), x / (1 - rate))


def output_dropout(config: ModelConfig, seed: Tensor) -> Drop | None:
    """Dropout of the layers' outputs [T, B, U]; None where the settings want none.

    A mask for each time step or, where `variational`, one for all of them (Gal and
    Ghahramani 2016).
    """
    if not config.dropout:
        return None

    def drop_outputs(y: Tensor, place: int) -> Tensor:
        steps, *rest = tf.unstack(tf.shape(y))
        shape = [1 if config.variational else steps, *rest]
        return drop(y, config.dropout, seed, place + 1, shape)

    return drop_outputs


def drop_recurrent(config: ModelConfig, seed: Tensor, kernel: Tensor, layer: int) -> Tensor:
    """Dropout of the recurrent weights of layer `layer` (DropConnect; Merity et al. 2018)."""
    return drop(kernel, config.recurrent_dropout, seed, MOST_LAYERS + layer)
