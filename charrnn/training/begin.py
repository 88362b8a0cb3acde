"""How a session begins: in a new run, or in one that is resumed.

A plan for some time begins earlier, when training was asked for: `spent` seconds have passed
since, for the most part while TensorFlow was imported.
"""

import math
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from charrnn.config import Config, Plan, TextConfig
from charrnn.errors import CorpusError, RankError, RunError
from charrnn.network.weights import LOGITS_BIAS, initial_weights, prefixed
from charrnn.runs import checkpoints, history, sample_file
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.events import Event, Note
from charrnn.runs.run import Run, runs_left_out
from charrnn.text import corpus as corpora
from charrnn.text.corpus import Corpus, CorpusInfo, encode_corpus, log_frequencies, open_corpus
from charrnn.text.reading import Source
from charrnn.text.sources import Selection, select
from charrnn.training.best import recall
from charrnn.training.facts import compare, text_facts
from charrnn.training.fitting import fitted, refitted
from charrnn.training.folder import settle, staging
from charrnn.training.learner import learner_of
from charrnn.training.machine import machine, moved, operations_per_second, use_threads
from charrnn.training.notes import (
    already_finished,
    announce,
    describe,
    describe_change,
    describe_cores,
    describe_fit,
    describe_kept,
    describe_link,
    describe_ranks,
    describe_recipe,
    describe_restart,
)
from charrnn.training.plan import DEFAULT_EPOCHS, seconds_of
from charrnn.training.planning import set_cadence, set_plan
from charrnn.training.ranks import ALONE, Ranks
from charrnn.training.rule import Task, advise
from charrnn.training.same_text import known_sources, refuse_another, refuse_changed
from charrnn.training.session import Session
from charrnn.training.transfer import warm_start
from charrnn.types import PathLike

Beginning = Generator[Event, None, Session | None]


def new(
    run: Run,
    selection: Selection,
    settings: Mapping[str, object],
    plan: Plan,
    old: Checkpoint | None,
    spent: float,
    ranks: Ranks,
) -> Beginning:
    """Encode the corpus, choose what is left open, build the network, set the plan, save step 0."""
    begin, config = time.perf_counter() - spent, ranks.broadcast(lambda: Config.of(**settings))
    yield from announce(selection)
    yield from describe_link(run)
    with staging(run) if ranks.first else nullcontext(run.folder) as staged:
        encoded = encode_corpus(selection.sources, config.text, staged) if ranks.first else None
        corpus = shared_corpus(ranks, encoded, staged, selection.sources, config.text)
        refuse_another_text(ranks, corpus.info)
        yield from describe(corpus, config)
        yield from use_threads(config.training.threads, ranks)
        advice = yield from advised(corpus, settings, plan, begin, ranks.size)
        asked = ranks.broadcast(lambda: advice)
        config = ranks.broadcast(lambda: fitted(corpus, asked, ranks.size))
        yield from describe_fit(corpus, config, asked)
        yield from describe_cores(config, ranks.size)
        session = build(run, corpus, config, old, ranks)
        session.progress.machine = machine()
        yield from set_plan(session, plan, begin)
        session.share_progress()
        session.saver.save(Run(staged))
        if ranks.first:
            settle(run, staged)
    return session


def shared_corpus(
    ranks: Ranks,
    encoded: Corpus | None,
    folder: Path,
    sources: Sequence[Source],
    config: TextConfig,
) -> Corpus:
    """Return the text that rank 0 has encoded in its folder.

    A rank that does not see it there encodes its own sources, or those that rank 0 has read. One
    that sees it, and was given other files, tells their fingerprint.
    """
    place, info = ranks.broadcast(lambda: (folder.resolve(), encoded and encoded.info))
    if encoded is not None:
        return encoded
    with suppress(CorpusError):
        corpus = open_corpus(place, verify=False)
        if corpus.info == info:
            if not sources or corpora.stamps(sources) == info.stamps:
                return corpus
            own = corpora.fingerprint(sources, config)  # compared with that of rank 0
            return replace(corpus, info=replace(info, fingerprint=own))
    sources = sources or known_sources(info) if info else ()
    if not sources:
        raise CorpusError(
            "this rank's machine does not have the text",
            where=place,
            way_out="name a file that all machines have",
        )
    with tempfile.TemporaryDirectory(prefix="charrnn-") as scratch:
        return encode_corpus(sources, config, Path(scratch))  # it stays mapped when it is deleted


def refuse_another_text(ranks: Ranks, info: CorpusInfo) -> None:
    """Raise RankError, on all ranks, where one has another text than rank 0."""
    told = ranks.gather(text_facts(info))
    try:
        compare(told)
    except RankError:
        ranks.end()  # all ranks raise it: none depends on another
        raise


def advised(
    corpus: Corpus, settings: Mapping[str, object], plan: Plan, begin: float, ranks: int
) -> Generator[Note, None, Config]:
    """The settings, with what they leave open chosen for the text, the time and the machines."""
    task = Task(len(corpus.train), corpus.vocabulary.size, plan)
    if plan.needs_speed:
        rate = operations_per_second() * ranks
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
    ranks: Ranks,
) -> Beginning:
    """Continue from the `last` checkpoint; a plan, where there is one, is for further steps."""
    begin = time.perf_counter() - spent
    opened = open_run(run, paths, settings) if ranks.first else None
    encoded, checkpoint, config = opened or (None, None, None)
    checkpoint, config = ranks.broadcast(lambda: (checkpoint, config))
    assert checkpoint is not None
    assert config is not None
    named = select(paths, config.text, runs_left_out(run.folder.parent)).sources if paths else ()
    corpus = shared_corpus(ranks, encoded, run.folder, named, config.text)
    refuse_another_text(ranks, corpus.info)
    if checkpoint.progress.complete and plan.empty:
        yield from already_finished(run, checkpoint)
        return None
    yield from use_threads(config.training.threads, ranks)
    session = Session(run, corpus, config, learner_of(corpus, config, ranks))
    yield from restore(session, checkpoint)
    yield Note(f"continuing {run.folder} at step {session.progress.step:,}")
    yield from describe_cores(config, ranks.size)
    yield from describe_change(checkpoint.config, config)
    if not plan.empty:
        yield from describe_restart(plan, config)
        yield from set_plan(session, plan, begin)
    set_cadence(session)
    session.share_progress()
    session.saver.save()
    return session


def open_run(
    run: Run, paths: Sequence[PathLike], settings: Mapping[str, object]
) -> tuple[Corpus, Checkpoint, Config]:
    """Open a run that is resumed, with the settings that it goes on with."""
    checkpoint, corpus = load_last(run), open_corpus(run.folder)
    config = checkpoint.config.resumed(refitted(corpus, checkpoint.config, settings))
    refuse_changed(run, corpus, config.text, paths)
    refuse_another(run, corpus, checkpoint)
    return corpus, checkpoint, config


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


def restore(session: Session, checkpoint: Checkpoint) -> Iterator[Note]:
    """Take the session to where its run stopped, and note what is not as it was then."""
    run, learner, ranks = session.run, session.learner, session.ranks
    if checkpoint.weights_alone:
        yield Note(f"{run.last} has weights only: the optimizer starts from zero, as in a new run")
    else:
        checkpoints.check_optimizer(run.last, checkpoint, learner.trainer.slots)
    learner.restore(checkpoint)
    yield from moved(session.progress, session.config)
    yield from describe_ranks(session.progress.ranks, ranks.size)
    session.progress.ranks = ranks.size
    if ranks.first:
        yield from recall(run, session.progress)
        step = session.progress.step
        yield from describe_kept(run.history, history.truncate(run.history, step))
        yield from describe_kept(run.samples, sample_file.truncate(run.samples, step))


def build(
    run: Run, corpus: Corpus, config: Config, old: Checkpoint | None, ranks: Ranks = ALONE
) -> Session:
    """A session at step 0, with fresh weights or an old run's."""
    session = Session(run, corpus, config, learner_of(corpus, config, ranks))
    session.progress.ranks = ranks.size
    weights = initial_weights(config.model, corpus.vocabulary.size, config.training.seed)
    weights[LOGITS_BIAS] = log_frequencies(corpus)
    if old is not None:
        weights = warm_start(old, corpus.vocabulary, weights)
    session.learner.trainer.restore(prefixed("weights", weights))
    return session
