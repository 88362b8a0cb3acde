"""How a network is trained, and how long."""

import re
from dataclasses import dataclass, fields

from charrnn.config.settings import ADVISED, Settings, name_of, setting
from charrnn.errors import ConfigError

MOST_PARTS = 32
SIZES = ("tiny", "small", "medium", "large")
"""Networks by name, the smallest first; `charrnn.training.recipe` says what they are."""
NUMBER = r"(\d+(?:\.\d+)?)"
DURATION = re.compile(
    rf"(?:{NUMBER} ?(?:h|hrs?|hours?))? ?(?:{NUMBER} ?(?:m|mins?|minutes?))?"
    rf" ?(?:{NUMBER} ?(?:s|secs?|seconds?)?)?"
)
HALF_SAID = re.compile(r"(\dh[a-z]* ?\d+)$")
"""As in '1h30', which means minutes."""


def parse_duration(text: str) -> float:
    """Seconds in '90', '90s', '5m', '2h', '1h30m', '2 min'; ConfigError for anything else."""
    match = DURATION.fullmatch(HALF_SAID.sub(r"\1m", " ".join(text.lower().split())))
    if not text.strip() or match is None:
        raise ConfigError("write it as 90s, 5m, 2h or 1h30m", {"time": text})
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


@dataclass(frozen=True)
class TrainingConfig(Settings):
    """Batches, optimizer and bookkeeping."""

    group = "Optimizer"

    batch_size: int = setting(
        16, "Number of streams of text read in parallel.", low=1, high=1 << 20
    )
    seq_length: int = setting(
        64,
        "Characters that a step reads from each stream (the window of truncated BPTT).",
        low=1,
        high=1 << 20,
    )
    learning_rate: float = setting(
        0.01,
        "Peak learning rate.",
        above=0,
        high=10,
        resumable=True,
        inexact=True,
        advised=True,
        logarithmic=True,
    )
    weight_decay: float = setting(
        0.05,
        "Weight decay, decoupled from the gradient as in AdamW.",
        low=0,
        below=10,
        resumable=True,
        inexact=True,
        advised=True,
        logarithmic=True,
    )
    warmup_steps: int = setting(
        100,
        "Steps until the learning rate reaches its peak; at most a tenth of the plan.",
        low=0,
        resumable=True,
        inexact=True,
    )
    schedule: str = setting(
        "cosine",
        "How the learning rate falls from its peak: in a straight line to 0, or along a cosine to a"
        " hundredth of it.",
        choices=("linear", "cosine"),
        advised=True,
    )
    clip_norm: float = setting(
        1.0,
        "Clip the gradient to this global norm.",
        above=0,
        resumable=True,
        inexact=True,
        logarithmic=True,
    )
    optimizer: str = setting("adamw", "Optimizer.", metavar="NAME")
    beta_1: float = setting(
        0.9,
        "Adam's beta_1.",
        low=0,
        below=1,
        advised=True,
        hidden=True,
    )
    stretch: int = setting(
        0,
        "Windows, about, that a stream reads in a row before it jumps to another place of the"
        " text, where a line begins and its state is zero; 0: no jumps, each reads its part of the"
        " text from front to back.",
        low=0,
        high=1 << 40,
        advised=True,
        hidden=True,
    )
    parts: int | None = setting(
        None,
        "Number of parts of a batch that are computed in parallel; a run keeps its number.",
        group="Machine",
        shown="chosen from the sizes and the cores",
        low=1,
        high=MOST_PARTS,
        hidden=True,
    )
    threads: int | None = setting(
        None,
        "Number of threads that compute a matrix product; a run keeps its number, because the"
        " rounding depends on it.",
        group="Machine",
        shown="the number of cores",
        low=1,
        high=1024,
        resumable=True,
        inexact=True,
        hidden=True,
    )
    seed: int = setting(
        0,
        "Random seed of the first weights and of dropout.",
        group="Network",
        low=0,
        below=1 << 31,
    )
    eval_every: int | None = setting(
        None,
        "Steps between evaluations on the validation text.",
        group="Reporting",
        shown="up to 20 evaluations in a plan",
        low=1,
        resumable=True,
    )
    patience: int | None = setting(
        None,
        "Stop when so many evaluations in a row bring no lower validation loss.",
        group="Plan",
        shown="the plan is carried out to its end",
        low=1,
        resumable=True,
    )
    eval_chars: int = setting(
        2_000_000,
        "Evaluate on at most this many characters of the validation text; 0: on all of it.",
        group="Reporting",
        shown="2,000,000",
        low=0,
        resumable=True,
    )
    sample_every: int | None = setting(
        None,
        "Steps between the samples that are shown during training; 0: no samples.",
        group="Reporting",
        shown="4 samples in a plan",
        low=0,
        resumable=True,
    )
    checkpoint_every: int | None = setting(
        None,
        "Steps between checkpoints: after a crash you lose at most what was trained since the"
        " last one.",
        group="Reporting",
        shown="at each evaluation",
        low=1,
        resumable=True,
    )


@dataclass(frozen=True)
class Plan(Settings):
    """How long to train: epochs, steps or time. The learning rate falls until then.

    `size` is not kept: it is the recipe's, whose settings a run has.
    """

    group = "Plan"

    epochs: float | None = setting(
        None, "Train for this many passes over the text.", above=0, high=1e6
    )
    steps: int | None = setting(None, "Train for this many steps.", low=1, high=10**12)
    seconds: float | None = setting(
        None,
        "Train for this long: 90s, 5m, 2h, 1h30m.",
        above=0,
        high=1e8,
        called="time",
        parse=parse_duration,
        metavar="DURATION",
    )
    warm_restart: float | None = setting(
        None,
        "With a new plan for a resumed run: the learning rate restarts at this share of its peak.",
        shown="1",
        above=0,
        high=1,
    )
    size: str | None = setting(
        None,
        "Size of the network; `layers` and `units` go before it.",
        group="Network",
        shown=ADVISED,
        choices=SIZES,
    )

    def _complete(self) -> None:
        if len(self.lengths) > 1:
            raise ConfigError("give one of `epochs`, `steps` and `time`, not several", self.lengths)

    @property
    def lengths(self) -> dict[str, object]:
        """How long to train, by the setting's name: at most one."""
        given = {name_of(each): getattr(self, each.name) for each in fields(self)}
        return {
            name: value
            for name, value in given.items()
            if value is not None and name not in ("warm_restart", "size")
        }

    @property
    def empty(self) -> bool:
        """Whether no length was asked for."""
        return not self.lengths

    @property
    def needs_speed(self) -> bool:
        """Whether the steps follow from how long one takes."""
        return self.seconds is not None or self.empty
