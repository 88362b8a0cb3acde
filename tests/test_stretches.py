"""A text read in stretches: in every pass all of it, in an order of the pass's own."""

import itertools

import numpy as np
import pytest

from charrnn.text.batches import Streams, Stretches

LENGTHS = (2, 3, 7, 32, 33, 61)
BATCHES = (1, 2, 3, 8)
WINDOWS_AND_STRETCHES = tuple(itertools.product((1, 3, 16), (1, 2, 5, 100)))

every_size = pytest.mark.parametrize(
    ("length", "batch_size"), list(itertools.product(LENGTHS, BATCHES))
)


def every_stretches(length: int, batch_size: int) -> list[Stretches]:
    """Stretches of all sizes, in two passes, over a text whose every id says where it stands."""
    return [
        Stretches(np.arange(length, dtype=np.uint16), batch_size, *sizes, number=number)
        for sizes in WINDOWS_AND_STRETCHES
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
def test_a_pass_has_as_many_windows_as_one_from_front_to_back(length: int, batch_size: int) -> None:
    for streams in every_stretches(length, batch_size):
        assert streams.windows == Streams(streams.ids, batch_size, streams.seq_length).windows
        assert streams.window(streams.windows - 1).mask.any()


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
    streams = Stretches(np.arange(61), 1, 4, 3)
    (read,) = places_read(streams)
    starts = [place for place in read if place % 12 == 0]
    assert read == [place for start in starts for place in range(start, min(start + 12, 60))]
    assert sorted(starts) == [0, 12, 24, 36, 48]


def test_each_pass_has_its_own_order_which_follows_from_the_seed() -> None:
    def order(seed: int, number: int) -> list[list[int]]:
        return places_read(Stretches(np.arange(200), 2, 4, 2, seed).in_pass(number))

    assert order(0, 1) == order(0, 1)
    orders = [order(seed, number) for seed in (0, 1) for number in (0, 1, 2)]
    assert all(one != other for one, other in itertools.combinations(orders, 2))


def test_a_pass_is_the_same_whichever_was_read_before() -> None:
    streams = Stretches(np.arange(200), 3, 4, 2)
    assert places_read(streams.in_pass(5).in_pass(2)) == places_read(streams.in_pass(2))
