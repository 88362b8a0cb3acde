"""How a session begins: in a new run, or in one that is resumed."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import fields

from charrnn import checkpoints
from charrnn.checkpoints import Checkpoint
from charrnn.config import Config, Plan, TrainingConfig
from charrnn.config.run import unchanged
from charrnn.config.settings import shown
from charrnn.errors import ConfigError, RunError
from charrnn.model.network import set_weights
from charrnn.network.weights import initial_weights
from charrnn.runs import Run
from charrnn.text.corpus import Corpus, encode_corpus, open_corpus
from charrnn.text.sources import Selection
from charrnn.text.streams import fit
from charrnn.training import history
from charrnn.training.best import recall
from charrnn.training.events import Event, Note
from charrnn.training.folder import settle, staging
from charrnn.training.machine import cores, machine, moved, use_threads
from charrnn.training.notes import (
    already_finished,
    announce,
    describe,
    describe_change,
    describe_fit,
    describe_history,
    describe_link,
    describe_part,
    describe_plan,
    describe_restart,
)
from charrnn.training.parts import choose_parts
from charrnn.training.plan import Speed, evaluating, part_to_evaluate, plan_steps, seconds_of
from charrnn.training.same_text import refuse_another, refuse_changed
from charrnn.training.session import Session
from charrnn.training.speed import measure
from charrnn.training.step import Trainer
from charrnn.training.transfer import warm_start
from charrnn.types import PathLike

Beginning = Generator[Event, None, Session | None]
SAMPLES = 4
"""Samples shown in a plan, where the user asks for no other number."""
CORES_ONCE = 2
"""Checkpoints of format 1 do not tell the batch's parts: they were those for so many cores."""


def new(
    run: Run, selection: Selection, config: Config, plan: Plan, old: Checkpoint | None
) -> Beginning:
    """Encode the corpus, build the network, set the plan, and save step 0."""
    begin = time.perf_counter()
    yield from announce(selection)
    yield from describe_link(run)
    with staging(run) as staged:
        corpus = encode_corpus(selection.sources, config.text, staged)
        yield from describe(corpus, config)
        asked, config = config, fitted(corpus, config)
        yield from describe_fit(corpus, config, asked)
        yield from use_threads(config.training.threads)
        session = build(run, corpus, config, old)
        session.progress.machine = machine()
        yield from set_plan(session, plan, begin)
        set_cadence(session)
        session.saver.save(Run(staged))
        settle(run, staged)
    return session


def resumed(
    run: Run, paths: Sequence[PathLike], settings: Mapping[str, object], plan: Plan
) -> Beginning:
    """Continue from the `last` checkpoint; a plan, where there is one, is for further steps."""
    begin = time.perf_counter()
    if not run.last.exists():
        raise RunError(
            "missing, and only it can be resumed",
            where=run.last,
            way_out=f"start a new run from the best weights with `init_from {run.name}`",
        )
    checkpoint = checkpoints.load(run.last)
    corpus = open_corpus(run.folder)
    old = with_threads(with_parts(checkpoint.config, CORES_ONCE))
    config = old.resumed(refitted(corpus, old, settings))
    refuse_changed(run, corpus, config.text, paths)
    refuse_another(run, corpus, checkpoint)
    if checkpoint.progress.complete and plan.empty:
        yield from already_finished(run, checkpoint)
        return None
    yield from use_threads(config.training.threads)
    session = Session(run, corpus, config, Trainer(config, corpus.vocabulary.size))
    if checkpoint.weights_alone:
        yield Note(f"{run.last} has weights alone: the optimizer starts anew, as in a new run")
    else:
        checkpoints.check_optimizer(run.last, checkpoint, session.learner.trainer.slots)
    session.learner.restore(checkpoint)
    yield from moved(session.progress, config)
    yield from recall(run, session.progress)
    yield from describe_history(run, history.truncate(run.history, session.progress.step))
    yield Note(f"going on with {run.folder} at step {session.progress.step:,}")
    yield from describe_change(old, config)
    if not plan.empty:
        yield from describe_restart(plan, config)
        yield from set_plan(session, plan, begin)
    set_cadence(session)
    session.saver.save()
    return session


def inherit(old: Config, settings: Mapping[str, object]) -> Config:
    """The settings of a new run from an old run's weights, which fix the shape of the network."""
    handed_on = [each for each in fields(old.model) if each.metadata.get("shape")]
    shape = {each.name: getattr(old.model, each.name) for each in handed_on}
    for each in handed_on:
        if each.name in settings and not unchanged(old.model, each.name, settings[each.name]):
            raise ConfigError(
                f"the run in `init_from` has {shown(shape[each.name])}",
                {each.name: settings[each.name]},
                way_out="leave it out",
            )
    as_read = {"bytes": old.text.bytes, "direction": old.model.direction}
    return Config.of(**{**as_read, **settings, **shape})


def fitted(corpus: Corpus, config: Config) -> Config:
    """The settings as the run keeps them, with sizes that the corpus can fill, and the parts."""
    options = config.training
    batch, window = fit(len(corpus.train), options.batch_size, options.seq_length)
    config = config.changed({"batch_size": batch, "seq_length": window})
    return with_threads(with_parts(config, cores()))


def with_parts(config: Config, cores: int) -> Config:
    """The settings with a number of parts for the batch, as chosen or as the cores suggest."""
    parts = config.training.parts or choose_parts(config, cores)
    return config.changed({"parts": min(parts, config.training.batch_size)})


def with_threads(config: Config) -> Config:
    """The settings with a number of threads, as chosen or one for each core."""
    return config.changed({"threads": config.training.threads or cores()})


def refitted(corpus: Corpus, config: Config, settings: Mapping[str, object]) -> dict[str, object]:
    """The settings given for a resumed run, with sizes shrunk as they were when it began."""
    sizes = {name: settings[name] for name in ("batch_size", "seq_length") if name in settings}
    fitting = fitted(corpus, config.changed(sizes)).training
    return {**settings, **{name: getattr(fitting, name) for name in sizes}}


def build(run: Run, corpus: Corpus, config: Config, old: Checkpoint | None) -> Session:
    """A session at step 0, with fresh weights or an old run's."""
    size = corpus.vocabulary.size
    trainer = Trainer(config, size)
    weights = initial_weights(config.model, size, config.training.seed)
    if old is not None:
        weights = warm_start(old, corpus.vocabulary, weights)
    set_weights(trainer.model, weights)
    return Session(run, corpus, config, trainer)


def set_plan(session: Session, plan: Plan, begin: float) -> Iterator[Note]:
    """Set how many steps the session is to take, counted from the present one."""
    speed = None
    if plan.needs_speed:
        speed = measure(session.learner, session.validator, begin)
        speed = yield from fit_validation(session, plan, speed)
    workload, progress = session.workload, session.progress
    steps = plan_steps(plan, workload, speed)
    progress.start, progress.end = progress.step, progress.step + steps
    progress.rate_scale, progress.rollbacks = plan.warm_restart or 1.0, 0
    progress.windows = workload.windows
    progress.eval_every = -(-steps // workload.evaluations(steps, speed))
    yield from describe_plan(steps, workload.windows)


def fit_validation(session: Session, plan: Plan, speed: Speed) -> Generator[Note, None, Speed]:
    """Validate on a part where all of the text would take too much of the plan's time.

    A run that has been evaluated keeps its part, so that its losses can be compared; a number of
    characters that the user asked for stays too.
    """
    characters = len(session.validator.ids)
    part = part_to_evaluate(seconds_of(plan), characters, speed)
    asked_for = session.config.training.eval_chars != TrainingConfig.eval_chars
    if part == characters or asked_for or session.progress.evaluated_step:
        return speed
    session.validate_on(part)
    yield from describe_part(part, characters)
    return evaluating(part, characters, speed)


def set_cadence(session: Session) -> None:
    """Set how often to evaluate, sample and save: as the settings say, or evenly over the plan."""
    options, progress = session.config.training, session.progress
    steps = progress.end - progress.start
    progress.eval_every = options.eval_every or progress.eval_every
    every = options.sample_every
    progress.sample_every = -(-steps // SAMPLES) if every is None else every
    progress.checkpoint_every = options.checkpoint_every or progress.eval_every
