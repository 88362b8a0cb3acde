"""Corpora of every nasty kind are read exactly, or refused by name. See corpora.py."""

import pytest
from corpora import cuts, hold_the_law, hold_the_law_for, nasty_corpora, oddities

SEED, COUNT = 1, 450


def test_nasty_corpora_are_read_exactly_or_refused() -> None:
    read = hold_the_law_for(SEED, COUNT)
    assert COUNT // 4 < read < 3 * COUNT // 4  # neither side of the law goes untested
    assert len(list(oddities())) + len(list(cuts())) + 100 < COUNT


def test_the_law_is_broken_by_a_text_that_is_read_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("charrnn.text.corpus.read", lambda source, config: ["another text"])
    with pytest.raises(AssertionError):
        hold_the_law(next(iter(nasty_corpora(SEED))))
