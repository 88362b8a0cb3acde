"""The settings of a run as they fit its text and the machine."""

from collections.abc import Mapping

from charrnn.config import Config
from charrnn.text.batches import fit
from charrnn.text.corpus import Corpus
from charrnn.tf.limits import cores
from charrnn.tf.parts import choose_parts


def fitted(corpus: Corpus, config: Config, ranks: int = 1) -> Config:
    """The settings as the run keeps them: sizes that the corpus can fill, parts and threads.

    Each of several ranks cuts its own share of the batch into the parts.
    """
    options = config.training
    batch, window = fit(len(corpus.train), options.batch_size, options.seq_length)
    threads, share = options.threads or cores(), -(-batch // ranks)
    config = config.changed({"batch_size": batch, "seq_length": window, "threads": threads})
    parts = options.parts or choose_parts(config.changed({"batch_size": share}), cores())
    return config.changed({"parts": min(parts, share)})


def refitted(corpus: Corpus, config: Config, settings: Mapping[str, object]) -> dict[str, object]:
    """The settings given for a resumed run, with sizes shrunk as they were when it began."""
    sizes = {name: settings[name] for name in ("batch_size", "seq_length") if name in settings}
    fitting = fitted(corpus, config.changed(sizes)).training
    return {**settings, **{name: getattr(fitting, name) for name in sizes}}
