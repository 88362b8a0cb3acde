"""How much a network costs to train: operations for each character, and seconds for a step."""

from charrnn.cells import RECURRENT_KERNEL
from charrnn.config import Config
from charrnn.network.stack import TABLE_CHARACTERS
from charrnn.network.weights import EMBEDDINGS, recurrent, specify

PASSES = 3
"""A training step computes each product forward, and twice as much backward."""
UNIT_OPERATIONS = 10_000
"""What is done elementwise for a unit takes as long as so many operations in products."""
EFFICIENCY = 2.0
"""Operations of training in the time of one in the product that measures the machine's rate, which
is smaller than most. With both numbers, one layer of 128 units or of 384, and two of 384 or of 640,
are foreseen within a tenth (AMD EPYC with AVX2, two cores); with thousands of characters, training
is 15 % slower than foreseen."""


def operations_per_character(config: Config, vocabulary_size: int) -> int:
    """Multiplications and additions of a training step for each character, or what takes as long.

    A row that is looked up costs nothing: that of an embedding, or of the table that replaces
    the first layer's kernel where the vocabulary is small.
    """
    looked_up = [EMBEDDINGS]
    if vocabulary_size <= TABLE_CHARACTERS or not config.model.embedding:
        looked_up.append(f"{recurrent(1)}/kernel")
    weights = specify(config.model, vocabulary_size)
    shapes = [weight.shape for name, weight in weights.items() if name not in looked_up]
    products = sum(shape[0] * shape[1] for shape in shapes if len(shape) == 2)
    return 2 * PASSES * products + UNIT_OPERATIONS * sum(config.model.layer_units)


def characters_per_second(config: Config, vocabulary_size: int, rate: float) -> float:
    """What training may come to on a machine that does `rate` operations a second."""
    return EFFICIENCY * rate / operations_per_character(config, vocabulary_size)


def recurrent_weights(config: Config) -> int:
    """How many numbers there are in the recurrent kernels, U [U, G], of all layers."""
    weights = specify(config.model, vocabulary_size=1)
    shapes = (each.shape for name, each in weights.items() if name.endswith(RECURRENT_KERNEL))
    return sum(rows * columns for rows, columns in shapes)
