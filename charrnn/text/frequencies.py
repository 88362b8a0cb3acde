"""How frequent each character of a text is."""

import numpy as np

from charrnn.text.corpus import Corpus, count

COUNTED = 1 << 24
"""Of a longer text, so many characters from its beginning are counted."""


def log_frequencies(corpus: Corpus) -> np.ndarray:
    """The log of each character's share of the training part, float32 [V].

    As the first bias of the logits, the network begins with the frequencies, which would otherwise
    take it dozens of steps to learn. Each is counted half a time more than it occurs, so that none
    has the log of zero.
    """
    counts = count(corpus.train[:COUNTED], corpus.vocabulary.size) + 0.5
    shares: np.ndarray = np.log(counts / counts.sum()).astype(np.float32)
    return shares
