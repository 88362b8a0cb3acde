"""What a user is told: what a session does and why, and what the losses show."""

import sys
from collections.abc import Iterator, Sequence

from charrnn.config import Config, Plan
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.events import Evaluated, Event, Finished, Note
from charrnn.runs.run import Run
from charrnn.text.corpus import Corpus
from charrnn.text.sources import UNDECODABLE, Selection
from charrnn.text.vocabulary import Vocabulary
from charrnn.tf.limits import cores
from charrnn.training.plan import Budget, seconds_of
from charrnn.training.recipe import Task

SHOWN = 3
"""Names of files that are shown, unless the user asked which they are."""
LONG_START = 0.2
"""A start that took this share of the plan is noted."""
FEW_STEPS = 50
"""A plan with fewer steps than this is said to be short."""
ENOUGH_STEPS = 1000
"""So many steps teach a network of the default size to spell."""
CONTROLS = set(map(chr, range(0x80, 0xA0))) - {"\x85"}
"""Where windows-1252 has its quotes, latin-1 has these."""
RISEN = 0.01
"""Validation is said to rise where it is above its lowest by this share."""
GAP = 0.03
"""A network still learns what holds for other texts too where its validation loss is above its
training loss by at most this share,"""
FALLEN, LATE = 0.01, 0.75
"""and where the validation loss has fallen by the first share since the second share of the plan's
evaluations, which are equally far apart."""


def announce(selection: Selection) -> Iterator[Note]:
    """Note which corpus is read where the user named none, and what is not read."""
    if selection.is_default:
        yield Note("no text was named: learning the reference of the Python language, in English")
    for reason, names in selection.skipped.items():
        shown = len(names) if reason == UNDECODABLE else SHOWN
        more = len(names) - shown
        yield Note(
            f"{reason}: {', '.join(names[:shown])}" + (f" and {more} more" if more > 0 else "")
        )


def describe_import() -> Iterator[Note]:
    """Note that TensorFlow is about to be imported, unless it has been."""
    if "tensorflow" not in sys.modules:
        yield Note("starting TensorFlow")


def describe(corpus: Corpus, config: Config) -> Iterator[Note]:
    """Note the sizes of the corpus and of its parts, and how many characters are unknown."""
    info = corpus.info
    one = "byte" if config.text.bytes else "character"
    kind = f"{one}s"
    yield Note(
        f"{info.length:,} {kind}, {len(corpus.vocabulary.characters):,} distinct;"
        f" {len(corpus.train):,} for training, {len(corpus.validation):,} for validation"
    )
    if info.folded:
        yield Note(f"{info.folded:,} rare {kind} count as unknown (`min_count`)")
    elif info.unknown:
        yield Note(
            f"{plural(info.unknown, one)} of the held-out text"
            f" occur{'s' * (info.unknown == 1)} only there; the model will not know"
            f" {'it' if info.unknown == 1 else 'them'}"
        )
    if len(corpus.validation):
        spread = len(corpus.part("validation").edges) > 0
        place = "blocks of lines from all over the text" if spread else "the end of the text"
        why = "" if config.text.split else f", since it is {info.kind}"
        yield Note(f"validation: {place}{why} (`split`)")
    if not config.text.bytes and CONTROLS & set(corpus.vocabulary.characters):
        yield Note(
            "the text has invisible control characters (U+0080 to U+009F): if it is windows-1252,"
            " name that `encoding`"
        )
    limit = config.training.eval_chars
    if 0 < limit < len(corpus.validation):
        yield Note(f"validation reads the first {limit:,} of them (`eval_chars`)")


def describe_recipe(task: Task, config: Config) -> Iterator[Note]:
    """Note what is trained and why: how often the text will be read, the network, and its rates."""
    model, passes = config.model, task.passes(config)
    often = counted_passes(passes)
    most = "at most " if task.plan.empty else ""
    plan = "the plan" if task.seconds is None else f"{duration(seconds_of(task.plan))} here"
    yield Note(f"{most}{plan}: about {often} over the text")
    units = model.layer_units
    sizes = ", ".join(map(str, units if len(set(units)) > 1 else units[:1]))
    yield Note(
        f"the network: {plural(model.layers or 1, 'layer')} of {sizes} {model.cell} cells, batches"
        f" of {config.training.batch_size} × {config.training.seq_length} characters"
    )
    yield Note(
        f"learning rate {config.training.learning_rate:g}, weight decay"
        f" {config.training.weight_decay:g}, dropout {model.dropout:g}, recurrent dropout"
        f" {model.recurrent_dropout:g}"
    )


def counted_passes(passes: float) -> str:
    """Passes over a text in words, to a digit that a guess can have."""
    if passes < 0.95:
        return f"{passes:.1g} of a pass"
    shown = f"{passes:,.0f}" if passes >= 3 else f"{passes:.1f}".removesuffix(".0")
    return f"{shown} pass" + ("" if shown == "1" else "es")


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 120:
        return f"{seconds:g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def describe_fit(corpus: Corpus, config: Config, asked: Config) -> Iterator[Note]:
    """Note to what sizes batch and window were shrunk, if they were."""
    was, now = asked.training, config.training
    if (was.batch_size, was.seq_length) != (now.batch_size, now.seq_length):
        yield Note(
            f"{len(corpus.train):,} characters cannot fill {was.batch_size} streams of"
            f" {was.seq_length}; training with {now.batch_size} streams of {now.seq_length}"
        )


def describe_inherited(name: str, old: Vocabulary, new: Vocabulary) -> Iterator[Note]:
    """Note how many characters of the text the model knows whose weights a run starts from."""
    matched = len({*old.characters} & {*new.characters})
    yield Note(
        f"weights of {name}: {matched} of {plural(len(new.characters), 'character')}"
        f" matched, {len(new.characters) - matched} new"
    )


def describe_cores(config: Config, ranks: int) -> Iterator[Note]:
    """Note how many ranks and cores there are."""
    used = min(cores(), config.training.threads or cores())
    if ranks > 1:
        yield Note(f"{ranks} ranks, each on {plural(used, 'core')}")
    else:
        yield Note(f"using {used} of {plural(cores(), 'core')}")


def describe_ranks(before: int, now: int) -> Iterator[Note]:
    """Note that another number of ranks goes on with a run than saved it."""
    if before != now:
        yield Note(
            f"the run had {plural(before, 'rank')} before and has {plural(now, 'rank')} now: it"
            " goes on from the same weights, optimizer and states, but not exactly: sums are"
            " rounded in another order, and dropout draws other masks"
        )


def describe_change(config: Config, changed: Config) -> Iterator[Note]:
    """Note which settings of a resumed run have changed so that it learns differently."""
    changes = [f"`{name}` is {new}, it was {old}" for name, old, new in config.inexact(changed)]
    if changes:
        yield Note(f"{', '.join(changes)}: from here on the run is not continued exactly")


def describe_restart(plan: Plan, config: Config) -> Iterator[Note]:
    """Note that a new plan of a resumed run begins with a high learning rate again."""
    peak = config.training.learning_rate
    if plan.warm_restart is not None:
        restarts = f"{plan.warm_restart:g} of its peak, {plan.warm_restart * peak:g}"
        yield Note(f"a new plan: the learning rate restarts at {restarts}")
    else:
        way_out = "with `warm_restart 0.3` it restarts lower, so that less is forgotten"
        yield Note(f"a new plan: the learning rate restarts at its peak, {peak:g}; {way_out}")


def describe_part(part: int, characters: int) -> Iterator[Note]:
    """Note that the validation text is too long for the plan."""
    yield Note(
        f"validation reads the first {part:,} characters (`eval_chars`): all {characters:,} would"
        " take too much of the time"
    )


def describe_plan(steps: int, windows: int, about: str = "") -> Iterator[Note]:
    """Note how long training is to take, and whether that is hardly worth it.

    Where the steps may still change, `about` is the word for it.
    """
    passes = counted_passes(steps / windows)
    yield Note(f"training for {about}{plural(steps, 'step')}, {passes} over the text")
    if steps < FEW_STEPS:
        yield Note(
            f"a network learns little in so few steps: train longer, as with `time 5m` or"
            f" `steps {ENOUGH_STEPS}`, or make it smaller with `units`"
        )


def describe_start(budget: Budget) -> Iterator[Note]:
    """Note what of the plan went into the start, where that is much."""
    if budget.start_seconds > LONG_START * budget.seconds:
        yield Note(
            f"{budget.start_seconds:.0f} of the {duration(budget.seconds)} were TensorFlow's start"
            " and compilation"
        )


def describe_settled(
    steps: int, foreseen: int, windows: int, before: Config, now: Config
) -> Iterator[Note]:
    """Note that a plan has other steps than foreseen, and which rates were changed for it."""
    changes = [
        f"{name.replace('_', ' ')} {rate:g}, not {before.rates[name]:g}"
        for name, rate in now.rates.items()
        if rate != before.rates[name]
    ]
    passes, other = (counted_passes(each / windows) for each in (steps, foreseen))
    yield Note("; ".join([f"the plan comes to about {passes}, not {other} as foreseen", *changes]))


def plural(number: int, thing: str) -> str:
    """A number of things, in the singular for one."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def describe_link(run: Run) -> Iterator[Note]:
    if run.exists and run.folder.is_symlink():
        yield Note(f"{run.folder} is a link: replacing the run in {run.folder.resolve()}")


def already_finished(run: Run, checkpoint: Checkpoint) -> Iterator[Event]:
    """Note that the plan is already finished, and how to train further."""
    progress = checkpoint.progress
    yield Note(
        f"{run.folder} has already finished its {plural(progress.step, 'step')};"
        " train it further with `time 5m`, `epochs` or `steps`"
    )
    yield Finished(run.folder, progress.step, progress.best_loss_nats)


def over_fitting(evaluations: Sequence[Evaluated], patience: int | None = None) -> Iterator[Note]:
    """Note that validation rises while training falls, at the evaluation that first shows it.

    Args:
        evaluations: Those of the plan so far.
        patience: What the user asked for, who need not be told of it then.
    """
    if rising(evaluations) and not any(map(rising, earlier_evaluations(evaluations))):
        early = "" if patience else "; `patience 3` ends such a run early"
        yield Note(
            f"{by_heart(evaluations)}. The best weights are kept. More text, or a higher `dropout`"
            f" or `recurrent_dropout`, helps{early}"
        )


def by_heart(evaluations: Sequence[Evaluated]) -> str:
    """What the losses say where they are rising."""
    losses = [each for each in evaluations if each.val_loss_nats is not None]
    lowest, latest = min(losses, key=validation), losses[-1]
    return (
        f"the validation loss has risen from {validation(lowest):.3f}, at step {lowest.step:,}, to"
        f" {validation(latest):.3f}, while the training loss falls: the network learns this text by"
        " heart"
    )


def earlier_evaluations(evaluations: Sequence[Evaluated]) -> Iterator[Sequence[Evaluated]]:
    return (evaluations[:end] for end in range(1, len(evaluations)))


def rising(evaluations: Sequence[Evaluated]) -> bool:
    """Whether the latest validation loss is clearly above the lowest, and the training loss below
    the one that it had there."""
    losses = [
        each for each in evaluations if None not in (each.val_loss_nats, each.train_loss_nats)
    ]
    if len(losses) < 2:
        return False
    lowest, latest = min(losses, key=validation), losses[-1]
    risen = validation(latest) > (1 + RISEN) * validation(lowest)
    return risen and (latest.train_loss_nats or 0) < (lowest.train_loss_nats or 0)


def still_falling(evaluations: Sequence[Evaluated]) -> Iterator[Note]:
    """Note that the plan was too short for the network: it has not begun to learn by heart."""
    if falling_fast(evaluations) and learns_for_others(evaluations[-1]):
        yield Note(
            "the validation loss was still falling fast: a longer plan gives a better model, or"
            " train this one further with `resume` and `time 10m`"
        )


def falling_fast(evaluations: Sequence[Evaluated]) -> bool:
    """Whether the last validation loss is the lowest, and clearly below that of a while before."""
    if len(evaluations) < 2 or not evaluations[-1].is_best:
        return False
    before = evaluations[int(LATE * len(evaluations)) - 1].val_loss_nats
    return before is not None and validation(evaluations[-1]) < (1 - FALLEN) * before


def learns_for_others(evaluated: Evaluated) -> bool:
    """Whether the network knows other texts nearly as well as the one that it learns from."""
    train = evaluated.train_loss_nats
    return train is not None and validation(evaluated) <= (1 + GAP) * train


def validation(evaluated: Evaluated) -> float:
    """The validation loss, which there must be."""
    assert evaluated.val_loss_nats is not None
    return evaluated.val_loss_nats
