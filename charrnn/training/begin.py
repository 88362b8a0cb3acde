"""How a session begins: in a new run, or in one that is resumed.

A plan for some time begins earlier, when training was asked for: at `begun`, as
`time.perf_counter` counts. The time since has passed for the most part while TensorFlow was
imported.
"""

import math
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from charrnn.config import Config, Plan, TextConfig
from charrnn.errors import ConfigError, CorpusError, RunError
from charrnn.network.weights import (
    LOGITS_BIAS,
    LOGITS_KERNEL,
    add_prefix,
    character_axes,
    initial_weights,
)
from charrnn.runs import checkpoints
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.events import Event, Note
from charrnn.runs.run import Run, leave_out_runs
from charrnn.text import corpus as corpora
from charrnn.text.batches import fit
from charrnn.text.corpus import (
    LIST,
    SAMPLE,
    Corpus,
    CorpusInfo,
    encode_corpus,
    log_frequencies,
    open_corpus,
)
from charrnn.text.reading import Source
from charrnn.text.sources import select
from charrnn.text.vocabulary import Vocabulary
from charrnn.tf.limits import cores
from charrnn.tf.parts import choose_parts
from charrnn.training.duties import recall
from charrnn.training.learner import learner_of, streams_of
from charrnn.training.machine import machine, note_other_machine, operations_per_second, use_threads
from charrnn.training.notes import (
    already_finished,
    describe,
    describe_change,
    describe_cores,
    describe_fit,
    describe_inherited,
    describe_ranks,
    describe_recipe,
    describe_restart,
)
from charrnn.training.plan import DEFAULT_EPOCHS, seconds_of
from charrnn.training.ranks import ALONE, Ranks, refuse_differences, text_facts
from charrnn.training.recipe import LEAST_STEPS, Task, advise, refuse_short_plan
from charrnn.training.session import Advise, Session
from charrnn.types import PathLike, Tensors

Beginning = Generator[Event, None, Session | None]


def refuse_changed(run: Run, corpus: Corpus, config: TextConfig, paths: Sequence[PathLike]) -> None:
    """Raise CorpusError if the text in the files is not the one that the run was made from.

    The files are those that the user named, or else those that the run remembers, if they are
    still there. Files of the remembered sizes and times are not read again.
    """
    known = known_sources(corpus.info)
    named = named_sources(run, paths, config)
    if not named and (not known or corpora.stamps(known) == corpus.info.stamps):
        return
    now, then = corpora.fingerprint(named or known, config), corpus.info.fingerprint
    if now == then:
        return
    raise CorpusError(
        f"{corpora.describe(named or known)} (fingerprint {now[:12]}) is not the text of"
        f" {run.folder / corpora.IDS_FILE} (fingerprint {then[:12]})",
        way_out=f"restore it, or start a new run with `init_from {run.name}`",
    )


def named_sources(run: Run, paths: Sequence[PathLike], config: TextConfig) -> tuple[Source, ...]:
    """The files that the user named for a run that is resumed, if any."""
    return select(paths, config, leave_out_runs(run.folder.parent)).sources if paths else ()


def known_sources(info: CorpusInfo) -> tuple[Source, ...]:
    """The files that the corpus was made from; none if one of them is missing."""
    paths = [Path(location) for location in info.sources if location != "-"]
    known = len(paths) == len(info.sources) and all(path.is_file() for path in paths)
    return tuple(map(Source, paths)) if known else ()


def refuse_another(run: Run, corpus: Corpus, checkpoint: Checkpoint) -> None:
    """Raise CorpusError if the encoded text is not the one that the checkpoint has learnt from."""
    config, vocabulary = checkpoint.config, corpus.vocabulary
    sizes = config.training.batch_size, config.training.seq_length
    fits = vocabulary == checkpoint.vocabulary and fit(len(corpus.train), *sizes) == sizes
    if not fits or streams_of(corpus, config).windows != checkpoint.progress.windows:
        raise CorpusError(
            f"not the text that {run.last.name} has learnt from",
            where=run.folder / corpora.INFO_FILE,
            way_out=f"start a new run with `init_from {run.name}`",
        )


def warm_start(old: Checkpoint, vocabulary: Vocabulary, fresh: Tensors) -> Tensors:
    """The old weights with a row for each character of the new vocabulary.

    A character that both know keeps its row, wherever it stood; the unknown symbol keeps
    its own; a new character takes the fresh row. The logits of another tool's model may lie
    anywhere, since only their differences count: there the fresh ones move to the others' mean.
    """
    if old.vocabulary.byte_level != vocabulary.byte_level:
        raise ConfigError(
            "one of the two models reads bytes, the other characters; give both the same `bytes`",
            {"init_from": None},
        )
    places = {character: place for place, character in enumerate(old.vocabulary.characters)}
    known = [(i, places[c]) for i, c in enumerate(vocabulary.characters) if c in places]
    new_ids, old_ids = map(
        list, zip(*known, (vocabulary.unknown, old.vocabulary.unknown), strict=True)
    )
    weights = dict(old.weights)
    for name, axis in character_axes(old.config.model).items():
        start = fresh[name]
        if old.origin is not None and name in (LOGITS_KERNEL, LOGITS_BIAS):
            start = start + old.weights[name].mean(axis, keepdims=True)
        grown = np.moveaxis(start.copy(), axis, 0)
        grown[new_ids] = np.moveaxis(old.weights[name], axis, 0)[old_ids]
        weights[name] = np.ascontiguousarray(np.moveaxis(grown, 0, axis))
    return weights


def fit_settings(corpus: Corpus, config: Config, ranks: int = 1) -> Config:
    """The settings as the run keeps them: sizes that the corpus can fill, parts and threads.

    Each of several ranks cuts its own share of the batch into the parts.
    """
    options = config.training
    batch, window = fit(len(corpus.train), options.batch_size, options.seq_length)
    threads, share = options.threads or cores(), -(-batch // ranks)
    config = config.changed({"batch_size": batch, "seq_length": window, "threads": threads})
    parts = options.parts or choose_parts(config.changed({"batch_size": share}), cores())
    return config.changed({"parts": min(parts, share)})


def fit_changed_settings(
    corpus: Corpus, config: Config, settings: Mapping[str, object]
) -> dict[str, object]:
    sizes = {name: settings[name] for name in ("batch_size", "seq_length") if name in settings}
    fitting = fit_settings(corpus, config.changed(sizes)).training
    return {**settings, **{name: getattr(fitting, name) for name in sizes}}


def new(
    run: Run,
    corpus: Corpus,
    settings: Mapping[str, object],
    plan: Plan,
    old: tuple[str, Checkpoint] | None,
    begun: float,
    ranks: Ranks,
) -> Generator[Event, None, Session]:
    """Choose what is left open, build the network, and set the plan.

    Args:
        run: The new run.
        corpus: What it is to learn.
        settings: Those that the user has given, by name.
        plan: How long to train.
        old: A name and a checkpoint whose weights the run starts from.
        begun: The reading of `time.perf_counter` when the plan began.
        ranks: Those that train together.
    """
    refuse_differences(ranks, text_facts(corpus.info))
    config = ranks.broadcast(lambda: Config.of(**settings))
    yield from describe(corpus, config)
    yield from use_threads(config.training.threads, ranks)
    advice, again = yield from choose_settings(corpus, settings, plan, begun, ranks.size)
    asked = ranks.broadcast(lambda: advice)
    config = ranks.broadcast(lambda: fit_settings(corpus, asked, ranks.size))
    yield from describe_fit(corpus, config, asked)
    yield from describe_cores(config, ranks.size)
    session = build(run, corpus, config, old[1] if old else None, ranks)
    if old is not None:
        name, checkpoint = old
        yield from describe_inherited(name, checkpoint.vocabulary, corpus.vocabulary)
    session.progress.machine, session.advise = machine(), again
    yield from session.set_plan(plan, begun)
    session.share_progress()
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
    place, info = ranks.broadcast(lambda: (folder.resolve(), encoded.info if encoded else None))
    return ranks.agree(lambda: encoded or corpus_here(place, info, sources, config))


def corpus_here(
    place: Path, info: CorpusInfo | None, sources: Sequence[Source], config: TextConfig
) -> Corpus:
    """Open on another rank the text that rank 0 has at this place, or encode it here."""
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


def choose_settings(
    corpus: Corpus, settings: Mapping[str, object], plan: Plan, begun: float, ranks: int
) -> Generator[Note, None, tuple[Config, Advise]]:
    """The settings, with what they leave open chosen for the text, the time and the machines.

    Returns:
        The settings, and a function that chooses anew for a number of steps.
    """
    task = Task(len(corpus.train), corpus.vocabulary.size, plan)
    if corpus.info.kind == LIST:
        sample = corpus.train[:SAMPLE]
        lines = np.count_nonzero(sample == corpus.vocabulary.start)
        task = replace(task, line=len(sample) / max(1, int(lines)))
    if plan.needs_speed:
        rate = operations_per_second() * ranks
        left = seconds_of(plan) - (time.perf_counter() - begun)
        most = DEFAULT_EPOCHS if plan.empty else math.inf
        task = replace(task, seconds=left, rate=rate, most_passes=most)
    config = advise(task, settings, plan.size)
    if plan.needs_speed:
        size, left = task.vocabulary_size, task.seconds or 0.0
        refuse_short_plan(plan, config, size, task.rate, left, LEAST_STEPS)
    yield from describe_recipe(task, config)

    def advise_again(steps: int) -> Config:
        network = {"layers": config.model.layers, "units": config.model.units, **settings}
        return advise(replace(task, plan=Plan(steps=steps), seconds=None), network)

    return config, advise_again


def resumed(
    run: Run,
    paths: Sequence[PathLike],
    settings: Mapping[str, object],
    plan: Plan,
    begun: float,
    ranks: Ranks,
) -> Beginning:
    """Continue from the `last` checkpoint; a plan, where there is one, is for further steps."""
    encoded: list[Corpus] = []  # on rank 0

    def opened() -> tuple[Checkpoint, Config]:
        checkpoint, corpus = load_last(run), open_corpus(run.folder)
        config = checkpoint.config.resumed(
            fit_changed_settings(corpus, checkpoint.config, settings)
        )
        refuse_changed(run, corpus, config.text, paths)
        refuse_another(run, corpus, checkpoint)
        encoded.append(corpus)
        return checkpoint, config

    checkpoint, config = ranks.broadcast(opened)
    named = ranks.agree(lambda: named_sources(run, paths, config.text))
    corpus = shared_corpus(ranks, encoded[0] if encoded else None, run.folder, named, config.text)
    refuse_differences(ranks, text_facts(corpus.info))
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
        yield from session.set_plan(plan, begun)
    session.set_cadence()
    session.share_progress()
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


def restore(session: Session, checkpoint: Checkpoint) -> Iterator[Note]:
    """Take the session to where its run stopped, and note what is not as it was then."""
    run, learner, ranks = session.run, session.learner, session.ranks
    if checkpoint.weights_alone:
        yield Note(f"{run.last} has weights only: the optimizer starts from zero, as in a new run")
    else:
        checkpoints.check_optimizer(run.last, checkpoint, learner.trainer.slots)
    learner.restore(checkpoint)
    yield from note_other_machine(session.progress, session.config)
    yield from describe_ranks(session.progress.ranks, ranks.size)
    session.progress.ranks = ranks.size
    if ranks.first:
        yield from recall(run, session.progress)


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
    session.learner.trainer.restore(add_prefix("weights", weights))
    return session
