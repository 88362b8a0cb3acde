"""How a session begins: in a new run, or in one that is resumed.

A plan for some time begins earlier, when training was asked for: `spent` seconds have passed
since, for the most part while TensorFlow was imported.
"""

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace

from charrnn import checkpoints
from charrnn.checkpoints import Checkpoint
from charrnn.config import Config, Plan
from charrnn.errors import RunError
from charrnn.network.weights import LOGITS_BIAS, initial_weights
from charrnn.recipes.rule import Task, advise
from charrnn.runs import Run
from charrnn.text.corpus import Corpus, encode_corpus, open_corpus
from charrnn.text.frequencies import log_frequencies
from charrnn.text.sources import Selection
from charrnn.training import history, sample_file
from charrnn.training.best import recall
from charrnn.training.events import Event, Note
from charrnn.training.fitting import fitted, refitted, with_parts, with_threads
from charrnn.training.folder import settle, staging
from charrnn.training.leading import LeadingLearner, RoundsLearner, gather, hand_over
from charrnn.training.learner import Learner
from charrnn.training.local_steps import LocalTrainer, trainer_of
from charrnn.training.machine import machine, moved, use_threads
from charrnn.training.notes import (
    already_finished,
    announce,
    describe,
    describe_change,
    describe_cores,
    describe_fit,
    describe_kept,
    describe_link,
    describe_recipe,
    describe_restart,
    describe_workers,
)
from charrnn.training.plan import DEFAULT_EPOCHS, seconds_of
from charrnn.training.planning import set_cadence, set_plan
from charrnn.training.regrouping import regrouped
from charrnn.training.same_text import refuse_another, refuse_changed
from charrnn.training.session import Session
from charrnn.training.speed import operations_per_second
from charrnn.training.step import Trainer
from charrnn.training.transfer import warm_start
from charrnn.types import PathLike
from charrnn.workers.team import Leader

Beginning = Generator[Event, None, Session | None]
CORES_ONCE = 2
"""Checkpoints of format 1 do not tell the batch's parts: they were those for so many cores."""


def new(
    run: Run,
    selection: Selection,
    settings: Mapping[str, object],
    plan: Plan,
    old: Checkpoint | None,
    spent: float,
    team: Leader | None = None,
) -> Beginning:
    """Encode the corpus, choose what is left open, build the network, set the plan, save step 0."""
    begin, config = time.perf_counter() - spent, with_threads(Config.of(**settings))
    yield from announce(selection)
    yield from describe_link(run)
    begin += yield from gather(team, run, config)
    with staging(run) as staged:
        corpus = encode_corpus(selection.sources, config.text, staged)
        yield from describe(corpus, config)
        yield from use_threads(config.training.threads)
        asked = yield from advised(corpus, settings, plan, begin, workers_of(team))
        config = fitted(corpus, asked, workers_of(team))
        yield from describe_fit(corpus, config, asked)
        yield from describe_cores(config)
        yield from hand_over(team, corpus, config)
        session = build(run, corpus, config, old, team)
        session.progress.machine = machine()
        yield from set_plan(session, plan, begin)
        session.saver.save(Run(staged))
        settle(run, staged)
    return session


def advised(
    corpus: Corpus, settings: Mapping[str, object], plan: Plan, begin: float, workers: int
) -> Generator[Note, None, Config]:
    """The settings, with what they leave open chosen for the text, the time and the machines."""
    task = Task(len(corpus.train), corpus.vocabulary.size, plan)
    if plan.needs_speed:
        rate = operations_per_second() * workers
        left = seconds_of(plan) - (time.perf_counter() - begin)
        most = DEFAULT_EPOCHS if plan.empty else math.inf
        task = replace(task, seconds=left, rate=rate, most_passes=most)
    config = advise(task, settings, plan.size)
    yield from describe_recipe(task, config)
    return config


def resumed(
    run: Run,
    paths: Sequence[PathLike],
    settings: Mapping[str, object],
    plan: Plan,
    spent: float,
    team: Leader | None = None,
) -> Beginning:
    """Continue from the `last` checkpoint; a plan, where there is one, is for further steps."""
    begin = time.perf_counter() - spent
    checkpoint, corpus = load_last(run), open_corpus(run.folder)
    old = with_threads(with_parts(checkpoint.config, CORES_ONCE))
    config = old.resumed(refitted(corpus, old, settings))
    refuse_changed(run, corpus, config.text, paths)
    refuse_another(run, corpus, checkpoint)
    begin += yield from gather(team, run, config, corpus.info.fingerprint)
    yield from hand_over(team, corpus, config)
    if checkpoint.progress.complete and plan.empty:
        yield from already_finished(run, checkpoint)
        return None
    yield from use_threads(config.training.threads)
    session = Session(run, corpus, config, make_learner(corpus, config, team))
    yield from restore(session, checkpoint, workers_of(team))
    yield Note(f"continuing {run.folder} at step {session.progress.step:,}")
    yield from describe_cores(config)
    yield from describe_change(old, config)
    if not plan.empty:
        yield from describe_restart(plan, config)
        yield from set_plan(session, plan, begin)
    set_cadence(session)
    session.saver.save()
    return session


def load_last(run: Run) -> Checkpoint:
    """The `last` checkpoint; RunError where only `best` is left."""
    if not run.last.exists():
        raise RunError(
            "missing, and a run is resumed from this file alone",
            where=run.last,
            way_out="copy best over it, to continue with its weights and a new optimizer; or start"
            f" a new run with `init_from {run.name}`",
        )
    return checkpoints.load(run.last)


def restore(session: Session, checkpoint: Checkpoint, workers: int) -> Iterator[Note]:
    """Take the session to where its run stopped, and note what is not as it was then."""
    run, learner = session.run, session.learner
    checkpoint = yield from regrouped(checkpoint, workers, learner.trainer.exchange_every)
    if checkpoint.weights_alone:
        yield Note(f"{run.last} has weights only: the optimizer starts from zero, as in a new run")
    else:
        checkpoints.check_optimizer(run.last, checkpoint, learner.trainer.slots)
    learner.restore(checkpoint)
    yield from moved(session.progress, session.config)
    yield from describe_workers(session.progress.workers, workers)
    session.progress.workers = workers
    yield from recall(run, session.progress)
    step = session.progress.step
    yield from describe_kept(run.history, history.truncate(run.history, step))
    yield from describe_kept(run.samples, sample_file.truncate(run.samples, step))


def build(
    run: Run,
    corpus: Corpus,
    config: Config,
    old: Checkpoint | None,
    team: Leader | None = None,
) -> Session:
    """A session at step 0, with fresh weights or an old run's."""
    size = corpus.vocabulary.size
    session = Session(run, corpus, config, make_learner(corpus, config, team))
    session.progress.workers = workers_of(team)
    weights = initial_weights(config.model, size, config.training.seed)
    weights[LOGITS_BIAS] = log_frequencies(corpus)
    if old is not None:
        weights = warm_start(old, corpus.vocabulary, weights)
    session.learner.begin_with(weights)
    return session


def make_learner(corpus: Corpus, config: Config, team: Leader | None) -> Learner:
    """A learner that trains alone, or leads the other workers."""
    size = corpus.vocabulary.size
    if team is None:
        return Learner(corpus, config, Trainer(config, size))
    trainer = trainer_of(config, size, team)
    if isinstance(trainer, LocalTrainer):
        return RoundsLearner(corpus, config, trainer, team)
    return LeadingLearner(corpus, config, trainer, team)


def workers_of(team: Leader | None) -> int:
    """How many processes train together."""
    return 1 if team is None else team.cluster.size
