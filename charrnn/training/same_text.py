"""Whether files still hold the text that a run was made from."""

from collections.abc import Sequence
from pathlib import Path

from charrnn.checkpoints import Checkpoint
from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.runs import Run, runs_left_out
from charrnn.text import corpus as corpora
from charrnn.text.corpus import Corpus
from charrnn.text.opening import Source
from charrnn.text.sources import select
from charrnn.text.streams import Streams, fit
from charrnn.types import PathLike


def refuse_changed(run: Run, corpus: Corpus, config: TextConfig, paths: Sequence[PathLike]) -> None:
    """Raise CorpusError if the text in the files is not the one that the run was made from.

    The files are those that the user named, or else those that the run remembers, if they are
    still there. Files of the remembered sizes and times are not read again.
    """
    known = known_sources(corpus)
    named = select(paths, config, runs_left_out(run.folder.parent)).sources if paths else ()
    if not named and (not known or unchanged(known, corpus)):
        return
    now, then = corpora.fingerprints(named or known, config), corpus.info.fingerprint
    if then in now or (named and still_there(named, known, corpus, config)):
        return
    raise CorpusError(
        f"{corpora.describe(named or known)} (fingerprint {now[0][:12]}) is not the text of"
        f" {run.folder / corpora.IDS_FILE} (fingerprint {then[:12]})",
        way_out=f"restore it, or start a new run with `init_from {run.name}`",
    )


def unchanged(sources: tuple[Source, ...], corpus: Corpus) -> bool:
    """Whether the files have the sizes and times that the run remembers."""
    return corpora.stamps(sources) == corpus.info.stamps


def still_there(
    named: tuple[Source, ...], known: tuple[Source, ...], corpus: Corpus, config: TextConfig
) -> bool:
    """Whether the user named the files that the run remembers, and they hold its text.

    Versions up to 0.1 read a file again where it was named or linked again, and they read the
    files of runs in a folder.
    """
    outside = {each.identity for each in known if not in_a_run(each)}
    if not known or {each.identity for each in named} != outside:
        return False
    then = corpus.info.fingerprint
    return unchanged(known, corpus) or then in corpora.fingerprints(known, config)


def in_a_run(source: Source) -> bool:
    """Whether the source is below the folder of a run."""
    return source.path is not None and any(Run(each).exists for each in source.path.parents)


def known_sources(corpus: Corpus) -> tuple[Source, ...]:
    """The files that the corpus was made from; none if one of them is missing."""
    paths = [Path(location) for location in corpus.info.sources if location != "-"]
    known = len(paths) == len(corpus.info.sources) and all(path.is_file() for path in paths)
    return tuple(map(Source, paths)) if known else ()


def refuse_another(run: Run, corpus: Corpus, checkpoint: Checkpoint) -> None:
    """Raise CorpusError if the encoded text is not the one that the checkpoint has learnt from."""
    options, known = checkpoint.config.training, checkpoint.vocabulary
    sizes = options.batch_size, options.seq_length
    fits = corpus.vocabulary == known and fit(len(corpus.train), *sizes) == sizes
    if not fits or Streams(corpus.train, *sizes).windows != checkpoint.progress.windows:
        raise CorpusError(
            f"not the text that {run.last.name} has learnt from",
            where=run.folder / corpora.INFO_FILE,
            way_out=f"start a new run with `init_from {run.name}`",
        )
