"""Which characters a pattern lets follow, found out only as far as the next draw depends on it.

To ask a pattern about one character costs as much as to match the whole text. So the likeliest
characters are tried first, until all the others together can change nothing.
"""

from collections.abc import Callable

import numpy as np

from charrnn.sampling.filters import NEVER, Filters, Past, draw

FIRST, GROWTH = 4, 4
"""So many characters are tried before it is first worked out whether they are enough, and so
many times more each time after that: working it out costs as much as trying several."""
ROUNDING = 1e-9
"""More than the rounding errors of a sum over the characters, relative to the sum."""


def narrowed(
    logits: np.ndarray,
    noise: np.ndarray,
    filters: Filters,
    past: Past,
    leads_on: Callable[[int], bool],
) -> np.ndarray:
    """Characters that lead on, enough of them for the draw.

    Args:
        logits: [1, V], -inf where a character may not be written.
        noise: [1], what the character will be drawn with.
        filters: What the logits go through before that.
        past: Of this one text.
        leads_on: Whether an id may follow the text.

    Returns:
        bool [1, V], none where no character leads on. What is drawn from these characters is
        what would be drawn from all that lead on.
    """
    leads, untried = np.zeros(logits.shape, bool), logits > NEVER
    order = filters.order(logits, past)[0, : untried.sum()]
    size = FIRST if filters.ordered else len(order)
    while len(order):
        tried, order, size = order[:size], order[size:], GROWTH * size
        leads[0, tried] = [leads_on(int(new)) for new in tried]
        untried[0, tried] = False
        if leads.any() and len(order):
            least = filters(np.where(leads, logits, NEVER), past)
            most = filters(np.where(leads | untried, logits, NEVER), past)
            if settled(least[0], most[0], noise[0], exact=filters.truncate):
                break
    return leads


def settled(least: np.ndarray, most: np.ndarray, noise: float, exact: bool) -> bool:
    """Whether the character that is drawn is known before all characters are tried.

    Filters that cut off the less likely characters see the same in both cases only if they
    do so in every case between them. Where there are none, each weight that is in doubt is
    either 0 or that of `most`.

    Args:
        least: Log-weights [V] if none of the untried characters leads on.
        most: Log-weights [V] if all of them do.
        noise: What the character will be drawn with.
        exact: Whether nothing may be in doubt.
    """
    if exact:
        return np.array_equal(least, most)
    sure = np.exp(least)
    doubt, total = np.exp(most) - sure, sure.sum()
    place = int(draw(least[None], np.array([noise]))[0])
    before, after = doubt[:place].sum(), doubt[place + 1 :].sum()
    below, above = sure[:place].sum() + before, sure[: place + 1].sum()
    low, high = noise * (total + before), noise * (total + after)
    return bool(below <= low * (1 - ROUNDING) and above > high * (1 + ROUNDING))
