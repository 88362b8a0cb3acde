"""The rule that picks what to train, from the text, the time and the machine.

It asks two questions. How many characters will each size of network have learnt from when the time
is over, and how often will it have read the text? A larger network is better per character, and
slower; so the largest is taken that comes to enough of both. What keeps a network from learning the
text by heart follows from the passes too: dropout from them alone, weight decay and recurrent
dropout from the passes times the weights that there are for each character.

The numbers follow from the experiments in benchmarks/EXPERIMENTS.md, on verse in English and in
Chinese, a list of words, C headers and Python's standard library, 0.1 to 11 million characters
long. "large" was tried on tiny Shakespeare alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from charrnn.cells import RECURRENT_KERNEL
from charrnn.config import Config, Plan
from charrnn.errors import ConfigError
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
COMMON: Mapping[str, object] = {
    "cell": "coupled",
    "embedding": 192,
    "schedule": "linear",
    "beta_1": 0.5,
    "skip_connections": True,
}
"""What every recipe has."""
STRETCH = 8
"""Windows that are read in a row, where the text is no list."""
LIST_STRETCH, LIST_LINES = 2, 2
"""The fewest windows of a list's stretch, and its lines in the mean. Longer stretches begin a text
too seldom: after 300 steps first lines were up to three points worse than later ones. With one line
alone, the network does not learn what follows a line."""
SIZES: Mapping[str, Mapping[str, object]] = {
    "tiny": {"layers": 1, "units": 128},
    "small": {"layers": 1, "units": 384},
    "medium": {"layers": 2, "units": 384},
    "large": {"layers": 2, "units": 640},
}
"""Networks by name, the smallest first."""
ENOUGH_CHARACTERS = {"tiny": 0, "small": 400_000, "medium": 2_000_000, "large": 10_000_000}
"""A size is taken if it learns from so many characters in the time …"""
ENOUGH_PASSES = {"tiny": 0.0, "small": 0.0, "medium": 3.0, "large": 3.0}
"""… and reads the text so often: until then a smaller one, which reads more of it, is better."""
LEAST_STEPS = 10
"""A new network that takes fewer in the time is refused, before it is built."""
AMPLE = 10
"""With so many times enough characters, it need not read the text more than once."""
RATE, RATE_UNITS = 0.01, 384
"""The peak learning rate for layers of up to so many units; 0.006 was worse, 0.014 no better."""
WITHOUT_TIME = "small"
"""The size where the plan does not tell the time."""
DROPOUT = ((4.0, 0.0), (8.0, 0.1), (20.0, 0.2), (40.0, 0.4))
"""Passes over the text, and the dropout of the layers' outputs for them."""
WEIGHT_DECAY = ((0.6, 0.05), (4.0, 0.2))
"""Passes, times the recurrent weights for each character of the text, and the weight decay."""
RECURRENT_DROPOUT = ((8.0, 0.0), (30.0, 0.25), (90.0, 0.4))
"""The same, and the dropout of the recurrent weights. A small text is learnt by heart through them;
on a longer one it does harm to drop them."""
SECONDS_BEFORE_TRAINING = 6.0
"""A plan's time that passes until steps are taken at full speed."""


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
    weights = specify(config.model, vocabulary_size=1)
    shapes = (each.shape for name, each in weights.items() if name.endswith(RECURRENT_KERNEL))
    return sum(rows * columns for rows, columns in shapes)


@dataclass(frozen=True)
class Task:
    """What is to be learnt, and how long.

    Args:
        characters: Those of the training part.
        vocabulary_size: V, the unknown symbol included.
        plan: How long to train.
        seconds: The time of the plan, where it is one by time.
        rate: Operations a second that the machine does; needed for a plan by time.
        most_passes: A plan by time ends after so many passes over the text, if not before.
        line: The mean length of its lines, where it is a list.
    """

    characters: int
    vocabulary_size: int
    plan: Plan
    seconds: float | None = None
    rate: float = 0.0
    most_passes: float = math.inf
    line: float = 0.0

    def learnt(self, config: Config) -> float:
        """How many characters a network of this configuration will have learnt from."""
        if self.plan.epochs is not None:
            return self.plan.epochs * self.characters
        if self.plan.steps is not None:
            return float(self.plan.steps * config.training.batch_size * config.training.seq_length)
        assert self.seconds is not None
        training = max(1.0, self.seconds - SECONDS_BEFORE_TRAINING)
        learnt = training * characters_per_second(config, self.vocabulary_size, self.rate)
        return min(learnt, self.most_passes * self.characters)

    def passes(self, config: Config) -> float:
        return self.learnt(config) / max(1, self.characters)

    def exposure(self, config: Config) -> float:
        """The passes, times the recurrent weights of the network for each character of the text."""
        return self.passes(config) * recurrent_weights(config) / max(1, self.characters)


def advise(task: Task, given: Mapping[str, object], size: str | None = None) -> Config:
    """The settings for a task; those that the user has given stay as they are.

    Args:
        task: What is to be learnt, and how long.
        given: Settings by name.
        size: One of `SIZES`; without it, the rule picks.
    """
    advice = {**COMMON, "stretch": STRETCH, **SIZES[size or best_size(task, given)]}
    config = Config.advised(advice, given)
    if task.line:
        windows = round(LIST_LINES * task.line / config.training.seq_length)
        advice["stretch"] = max(LIST_STRETCH, windows)
    passes, exposure = task.passes(config), task.exposure(config)
    rates = {
        "learning_rate": learning_rate_for(max(config.model.layer_units)),
        "weight_decay": between(WEIGHT_DECAY, exposure),
        "dropout": between(DROPOUT, passes),
        "recurrent_dropout": between(RECURRENT_DROPOUT, exposure),
    }
    return Config.advised({**advice, **rates}, given)


def refuse_short_plan(
    plan: Plan, config: Config, vocabulary_size: int, rate: float, seconds: float, steps: int = 1
) -> None:
    """Raise ConfigError where a plan by time has no time left for so many steps.

    Args:
        plan: The plan.
        config: The network that is to be trained.
        vocabulary_size: V, the unknown symbol included.
        rate: Operations a second that the machine does.
        seconds: The time that is left after the start.
        steps: At least so many are worth it.
    """
    options, start = config.training, (plan.seconds or 0) - seconds
    step = options.batch_size * options.seq_length
    step_seconds = step / characters_per_second(config, vocabulary_size, rate)
    if plan.seconds is None or steps * step_seconds <= seconds:
        return
    why = f"the start takes {start:.0f} s here"
    if seconds > 0:
        why += f", and a step of this network about {step_seconds:.1g} s"
    raise ConfigError(why, {"time": plan.seconds}, way_out="give it more, or fewer `units`")


def best_size(task: Task, given: Mapping[str, object]) -> str:
    """The largest size that learns enough in the time."""
    if task.seconds is None:
        return WITHOUT_TIME
    sized = {name: Config.advised({**COMMON, **size}, given) for name, size in SIZES.items()}
    return [name for name, config in sized.items() if learns_enough(task, name, config)][-1]


def learns_enough(task: Task, name: str, config: Config) -> bool:
    learnt, needed = task.learnt(config), ENOUGH_CHARACTERS[name]
    often = task.passes(config) >= ENOUGH_PASSES[name] or learnt >= AMPLE * needed
    return learnt >= needed and often


def learning_rate_for(units: int) -> float:
    """The peak for layers of so many units, to one digit: 0.008 for twice as many."""
    return min(RATE, float(f"{RATE * (RATE_UNITS / units) ** (1 / 3):.1g}"))


def between(points: Sequence[tuple[float, float]], place: float) -> float:
    """The value at a place: straight between two points, and level outside of all."""
    places, values = zip(*points, strict=True)
    return round(float(np.interp(place, places, values)), 2)
