"""A text read in stretches: in every pass all of it, in an order of the pass's own."""

import itertools

import numpy as np
import pytest

from charrnn.text.batches import Streams, Stretches, cut

LENGTHS = (2, 3, 7, 32, 33, 61)
BATCHES = (1, 2, 3, 8)
WINDOWS_AND_STRETCHES = tuple(itertools.product((1, 3, 16), (1, 2, 5, 100)))

every_size = pytest.mark.parametrize(
    ("length", "batch_size"), list(itertools.product(LENGTHS, BATCHES))
)


NOWHERE = 1 << 15
"""An id that no text has."""


def every_stretches(length: int, batch_size: int) -> list[Streams]:
    """Stretches of all sizes, in two passes, over a text whose every id says where it stands."""
    ids = np.arange(length, dtype=np.uint16)
    return [
        Stretches(ids, batch_size, *sizes, start, edges).in_pass(number)
        for sizes in WINDOWS_AND_STRETCHES
        for start, edges in ((NOWHERE, ()), (length // 2, ()), (5, (2, length // 3)))
        if all(0 < edge < length - 1 for edge in edges)
        for number in (0, 3)
    ]


def places_read(streams: Streams) -> list[list[int]]:
    """The places of the text that each stream reads and learns from, in its order."""
    inputs, _, mask = (np.concatenate(parts, axis=1) for parts in zip(*streams, strict=True))
    return [row[counts == 1].tolist() for row, counts in zip(inputs, mask, strict=True)]


@every_size
def test_every_id_after_the_first_is_a_target_exactly_once_a_pass(
    length: int, batch_size: int
) -> None:
    for streams in every_stretches(length, batch_size):
        seen: list[int] = []
        for index, batch in enumerate(streams):
            counts = batch.mask == 1
            assert (batch.inputs[counts] + 1 == batch.targets[counts]).all()
            assert counts.sum() == streams.counted(index)
            seen.extend(batch.targets[counts].tolist())
        assert sorted(seen) == list(range(1, length))


@every_size
def test_the_streams_windows_differ_by_at_most_one(length: int, batch_size: int) -> None:
    for streams in every_stretches(length, batch_size):
        masks = np.stack([batch.mask.any(1) for batch in streams])
        windows = masks.sum(0)
        assert windows.max() - windows.min() <= 1
        assert windows.max() == streams.windows


@every_size
def test_a_window_begins_apart_exactly_where_it_does_not_follow_on_the_one_before(
    length: int, batch_size: int
) -> None:
    for streams in every_stretches(length, batch_size):
        assert streams.begins(0).all()
        for before, index in itertools.pairwise(range(streams.windows)):
            last, first = streams.window(before), streams.window(index)
            apart = first.inputs[:, 0] != last.inputs[:, -1] + 1
            reading = first.mask[:, 0] == 1
            assert (apart <= streams.begins(index))[reading].all()


def test_a_stretch_is_read_from_its_start_to_its_end() -> None:
    streams = Stretches(np.arange(61), 1, 4, 3, NOWHERE)
    (read,) = places_read(streams)
    starts = [place for place in read if place % 12 == 0]
    assert read == [place for start in starts for place in range(start, min(start + 12, 60))]
    assert sorted(starts) == [0, 12, 24, 36, 48]


@pytest.mark.parametrize(("stretch", "filled"), [(1, 0.7), (2, 0.85), (4, 0.95), (8, 0.98)])
def test_a_stretch_begins_at_a_line_s_end_and_fills_its_windows(
    stretch: int, filled: float
) -> None:
    """As a text is written: from the zero state and a line's end."""
    lengths = np.random.default_rng(0).integers(1, 30, 400)
    ids = np.concatenate([np.append(np.ones(length), 0) for length in lengths]).astype(np.uint8)
    bounds = cut(ids, 32, stretch, start=0)
    assert (ids[bounds[1:-1]] == 0).all()
    windows = -(-np.diff(bounds)[:-1] // 32)
    assert windows.min() >= stretch - stretch // 2
    assert windows.max() <= stretch + stretch // 2
    assert np.diff(bounds).sum() > filled * 32 * windows.sum()


def test_no_stretch_crosses_an_edge() -> None:
    edges = [40, 41, 200]
    streams = Stretches(np.arange(300), 2, 4, 5, NOWHERE, edges)
    for index, batch in enumerate(streams):
        for row, first in enumerate(batch.inputs[:, 0]):
            within = batch.inputs[row][batch.mask[row] == 1]
            assert not set(within[1:]) & set(edges)
            assert first not in edges or streams.begins(index)[row]


def test_each_pass_has_its_own_order_which_follows_from_the_seed() -> None:
    def order(seed: int, number: int) -> list[list[int]]:
        return places_read(Stretches(np.arange(200), 2, 4, 2, NOWHERE, seed=seed).in_pass(number))

    assert order(0, 1) == order(0, 1)
    orders = [order(seed, number) for seed in (0, 1) for number in (0, 1, 2)]
    assert all(one != other for one, other in itertools.combinations(orders, 2))


def test_a_pass_is_the_same_whichever_was_read_before() -> None:
    streams = Stretches(np.arange(200), 3, 4, 2, NOWHERE)
    assert places_read(streams.in_pass(5).in_pass(2)) == places_read(streams.in_pass(2))
