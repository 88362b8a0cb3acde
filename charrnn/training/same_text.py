"""Whether files still hold the text that a run was made from."""

from collections.abc import Sequence
from pathlib import Path

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.run import Run, runs_left_out
from charrnn.text import corpus as corpora
from charrnn.text.batches import Streams, fit
from charrnn.text.corpus import Corpus, CorpusInfo
from charrnn.text.reading import Source
from charrnn.text.sources import select
from charrnn.types import PathLike


def refuse_changed(run: Run, corpus: Corpus, config: TextConfig, paths: Sequence[PathLike]) -> None:
    """Raise CorpusError if the text in the files is not the one that the run was made from.

    The files are those that the user named, or else those that the run remembers, if they are
    still there. Files of the remembered sizes and times are not read again.
    """
    known = known_sources(corpus.info)
    named = select(paths, config, runs_left_out(run.folder.parent)).sources if paths else ()
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


def known_sources(info: CorpusInfo) -> tuple[Source, ...]:
    """The files that the corpus was made from; none if one of them is missing."""
    paths = [Path(location) for location in info.sources if location != "-"]
    known = len(paths) == len(info.sources) and all(path.is_file() for path in paths)
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
