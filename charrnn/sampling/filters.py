"""From logits to the distribution that the next character is drawn from.

The order is: repetition penalty, temperature, top-k, top-p, min-p, and each sees what the one
before has left. Everything happens on logarithms of weights, float64 [B, V], that sum to
anything; a filter sets to -inf what is not to be drawn. So no temperature overflows. B
texts, V characters.
"""

import numpy as np

from charrnn.config import SamplingConfig

NEVER = -np.inf


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities."""
    centred = logits - logits.max(-1, keepdims=True)
    normalised: np.ndarray = centred - np.log(np.exp(centred).sum(-1, keepdims=True))
    return normalised


def distribution(
    logits: np.ndarray, config: SamplingConfig, temperature: float, recent: np.ndarray
) -> np.ndarray:
    """Log-weights as the settings want them; `recent` int [B, N] are the last ids.

    Temperature 0 leaves the likeliest character alone.
    """
    if config.repetition_penalty != 1:
        logits = penalise(logits, recent, config.repetition_penalty)
    if temperature == 0:
        return likeliest(logits)
    log_w: np.ndarray = logits - np.maximum.reduce(logits, -1, keepdims=True)
    if temperature != 1:
        log_w /= temperature
    if config.top_k:
        log_w = top_k(log_w, config.top_k)
    if config.top_p < 1:
        log_w = top_p(log_w, config.top_p)
    if config.min_p:
        log_w = min_p(log_w, config.min_p)
    return log_w


def penalise(logits: np.ndarray, recent: np.ndarray, penalty: float) -> np.ndarray:
    """Logits of recent ids made smaller: divided if positive, else multiplied.

    Keskar et al. 2019. The unknown symbol may be among the ids, and is passed over.
    """
    logits = np.pad(logits, ((0, 0), (0, 1)))
    penalised = logits.copy()
    rows = np.arange(len(logits))[:, None]
    values = logits[rows, recent]
    penalised[rows, recent] = np.where(values > 0, values / penalty, values * penalty)
    return penalised[:, :-1]


def likeliest(logits: np.ndarray) -> np.ndarray:
    """All probability for the first of the largest logits."""
    log_p = np.full(logits.shape, NEVER)
    log_p[np.arange(len(logits)), logits.argmax(-1)] = 0
    return log_p


def top_k(log_w: np.ndarray, k: int) -> np.ndarray:
    """The k likeliest characters; of equals, those that come first."""
    return keep(log_w, ranks(log_w) < k)


def top_p(log_w: np.ndarray, p: float) -> np.ndarray:
    """The smallest set of likeliest characters whose probability reaches p (Holtzman et al. 2020).

    The character that crosses p belongs to it.
    """
    order = np.argsort(-log_w, -1, kind="stable")
    descending = np.exp(log_softmax(np.take_along_axis(log_w, order, -1)))
    kept = np.empty(log_w.shape, bool)
    np.put_along_axis(kept, order, np.cumsum(descending, -1) - descending < p, -1)
    return keep(log_w, kept)


def min_p(log_w: np.ndarray, p: float) -> np.ndarray:
    """Characters at least p times as likely as the likeliest (Nguyen et al. 2024)."""
    return keep(log_w, log_w >= log_w.max(-1, keepdims=True) + np.log(p))


def keep(log_w: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The log-weights where kept, elsewhere -inf."""
    return np.where(kept, log_w, NEVER)


def ranks(log_w: np.ndarray) -> np.ndarray:
    """Each character's place when the likeliest come first."""
    order = np.argsort(-log_w, -1, kind="stable")
    return np.argsort(order, -1, kind="stable")


def draw(log_w: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """An id for each row, by inverting the cumulative distribution at noise [B] in [0, 1)."""
    cumulative = np.exp(log_w).cumsum(-1)
    drawn: np.ndarray = (cumulative > noise[:, None] * cumulative[:, -1:]).argmax(-1)
    return drawn
