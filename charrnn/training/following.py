"""The part of a worker that follows: it learns from its own streams, as worker 0 says.

It has an encoded text of its own, in a folder `worker-N` below the run's name, and writes nothing
else.
"""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from charrnn.checkpoints import FORMAT, Checkpoint
from charrnn.config import Config, TextConfig
from charrnn.errors import CorpusError
from charrnn.plain import typed
from charrnn.runs import Run, plain_name, runs_left_out
from charrnn.text.corpus import Corpus, encode_corpus, open_corpus
from charrnn.text.sources import select
from charrnn.training.events import Event, Note, Started, Stepped
from charrnn.training.folder import locked_folder, settle_text, staging
from charrnn.training.leading import own_tensors, shared_checksum, told, told_of
from charrnn.training.learner import Learner
from charrnn.training.local_steps import LocalTrainer, trainer_of
from charrnn.training.machine import use_threads
from charrnn.training.notes import announce, describe_cores
from charrnn.types import PathLike
from charrnn.workers import tensors
from charrnn.workers.line import END
from charrnn.workers.messages import Message
from charrnn.workers.team import Follower, number


def follow(team: Follower, paths: Sequence[PathLike], root: Path) -> Generator[Event, None, None]:
    """Train with the other workers until worker 0 ends it.

    Args:
        team: The connections to the other workers, which are not made yet.
        paths: The text; without any, the one that is in the worker's folder already.
        root: The folder of the runs on this machine.
    """
    cluster = team.cluster
    yield Note(f"this is worker {cluster.worker} of {cluster.size}: waiting for {cluster.named(0)}")
    welcome = yield from told_of(team.join())
    run = Run(root / plain_name(str(welcome["run"])) / f"worker-{cluster.worker}")
    with locked_folder(run):
        corpus = yield from own_corpus(run, paths, root, welcome)
        begun = yield from told_of(team.begin(told(corpus.info)))
        config = Config.from_json(begun["config"], FORMAT)
        yield from use_threads(config.training.threads)
        yield from describe_cores(config)
        trainer = trainer_of(config, corpus.vocabulary.size, team)
        yield from obey(team, run, corpus, Learner(corpus, config, trainer))


def own_corpus(
    run: Run, paths: Sequence[PathLike], root: Path, welcome: Mapping[str, object]
) -> Generator[Event, None, Corpus]:
    """The text as ids on this machine: what is there from before, or else encoded now."""
    config = TextConfig.from_json(welcome["text"], "text", ())
    if welcome.get("fingerprint") is not None:
        there = encoded_before(run, str(welcome["fingerprint"]))
        if there is not None:
            return there
        if not paths:
            why, way_out = "this worker has no copy of the run's text", "name the text as well"
            raise CorpusError(why, where=run.folder, way_out=way_out)
    selection = select(paths, config, runs_left_out(root))
    yield from announce(selection)
    with staging(run) as staged:
        encode_corpus(selection.sources, config, staged)
        settle_text(run, staged)
    return open_corpus(run.folder, verify=False)


def encoded_before(run: Run, fingerprint: str) -> Corpus | None:
    """The text in the worker's folder, if it is the one of that fingerprint, and whole."""
    try:
        corpus = open_corpus(run.folder)
    except CorpusError:
        return None
    return corpus if corpus.info.fingerprint == fingerprint else None


def obey(
    team: Follower, run: Run, corpus: Corpus, learner: Learner
) -> Generator[Event, None, None]:
    """Do what worker 0 says, until it says that it is over."""
    before = False
    while True:
        message = yield from told_of(team.receive())
        if message.kind == END:
            yield Note("worker 0 has ended the training; the run is in its folder")
            return
        if message.kind == "step":
            yield stepped(message, learner)
        elif message.kind == "exchange":
            exchange(learner)
        elif message.kind == "state":
            tell_state(team, learner)
        elif message.kind == "restore":
            restore(learner, message, (yield from told_of(team.receive())))
            if not before:  # and again where the run diverges
                yield started(run, corpus, learner, message, team.cluster.worker)
            before = True


def stepped(message: Message, learner: Learner) -> Stepped:
    """Learn from a window of this worker's streams."""
    step, window, end = (number(message, name) for name in ("step", "window", "end"))
    rate = float(typed(float, message.fields.get("rate"), "rate"))
    outcome = learner.learn(step, window, rate)
    characters = learner.streams.counted(window)
    return Stepped(step + 1, end, outcome.loss_nats, characters, not outcome.finite)


def exchange(learner: Learner) -> None:
    """Go on from the weights that follow from all workers' changes."""
    assert isinstance(learner.trainer, LocalTrainer)
    learner.trainer.exchange()


def tell_state(team: Follower, learner: Learner) -> None:
    """Give worker 0 what is this worker's own, and the checksum of what is shared."""
    here = learner.snapshot().tensors
    said = {"weights": shared_checksum(here)}
    team.tell("state", said, tensors.packed(own_tensors(here)))


def restore(learner: Learner, shared: Message, carried: Message) -> None:
    """Take from worker 0 what all workers have alike, and what is this one's own."""
    taken = tensors.unpacked(shared.data) | tensors.unpacked(carried.data)
    learner.restore(Checkpoint(learner.config, learner.vocabulary, learner.progress, taken))


def started(run: Run, corpus: Corpus, learner: Learner, message: Message, worker: int) -> Started:
    """What is about to be trained here."""
    return Started(
        run=run.folder,
        parameters=learner.trainer.model.count_params(),
        vocabulary_size=corpus.vocabulary.size,
        train_characters=len(corpus.train),
        step=number(message, "step"),
        end=number(message, "end"),
        worker=worker,
    )
