"""Parallel streams: the windows rejoined are the corpus; every target counts exactly once."""

import itertools

import numpy as np
import pytest

from charrnn.text.batches import Streams, fit

LENGTHS = (2, 3, 4, 7, 8, 13, 32, 33, 61)
BATCHES = (1, 2, 3, 5, 8)
WINDOWS_AND_WARMUPS = tuple(itertools.product((1, 2, 3, 7, 16), (0, 1, 4, 100)))

every_size = pytest.mark.parametrize(
    ("length", "batch_size"), list(itertools.product(LENGTHS, BATCHES))
)


def rejoined(streams: Streams) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, targets and mask with each stream's windows side by side, [B, windows · T]."""
    inputs, targets, mask = (np.concatenate(parts, axis=1) for parts in zip(*streams, strict=True))
    return inputs, targets, mask


def places(length: int) -> np.ndarray:
    """A corpus whose every id says where it stands."""
    return np.arange(length, dtype=np.uint16)


@every_size
def test_every_id_after_the_first_is_a_target_exactly_once(length: int, batch_size: int) -> None:
    for seq_length, warmup in WINDOWS_AND_WARMUPS:
        inputs, targets, mask = rejoined(Streams(places(length), batch_size, seq_length, warmup))
        scored = mask == 1
        assert targets[scored].tolist() == list(range(1, length)), (seq_length, warmup)
        assert (inputs[scored] + 1 == targets[scored]).all()
        assert ((mask == 0) | scored).all()


@every_size
def test_the_windows_of_each_stream_rejoined_are_the_corpus(length: int, batch_size: int) -> None:
    ids = np.random.default_rng(length).integers(0, 5, length).astype(np.uint8)
    for seq_length, _ in WINDOWS_AND_WARMUPS:
        inputs, targets, mask = rejoined(Streams(ids, batch_size, seq_length))
        scored = mask == 1
        assert inputs[scored].tolist() == ids[:-1].tolist()
        assert targets[scored].tolist() == ids[1:].tolist()


@every_size
def test_a_stream_reads_on_without_a_gap_a_jump_or_a_wrap(length: int, batch_size: int) -> None:
    for seq_length, warmup in WINDOWS_AND_WARMUPS:
        inputs, _, mask = rejoined(Streams(places(length), batch_size, seq_length, warmup))
        for stream, counts in zip(inputs, mask, strict=True):
            read = stream[: np.flatnonzero(counts)[-1] + 1] if counts.any() else stream[:0]
            assert (np.diff(read) == 1).all(), (seq_length, warmup)


@every_size
def test_warm_up_is_read_just_before_a_stream_and_never_scored(
    length: int, batch_size: int
) -> None:
    for seq_length, warmup in WINDOWS_AND_WARMUPS:
        inputs, _, mask = rejoined(Streams(places(length), batch_size, seq_length, warmup))
        for stream, counts in zip(inputs, mask, strict=True):
            if counts.any():
                own = int(np.flatnonzero(counts)[0])
                assert own == min(warmup, stream[own]), (seq_length, warmup)
                assert counts[own : own + int(counts.sum())].all()


@every_size
def test_the_scored_stretches_do_not_depend_on_the_warm_up(length: int, batch_size: int) -> None:
    def stretches(warmup: int) -> list[list[int]]:
        _, targets, mask = rejoined(Streams(places(length), batch_size, 3, warmup))
        return [row[counts == 1].tolist() for row, counts in zip(targets, mask, strict=True)]

    assert stretches(5) == stretches(0)
    sizes = [len(stretch) for stretch in stretches(0)]
    assert max(sizes) - min(sizes) <= 1


@every_size
def test_every_window_has_the_same_shape_and_none_is_idle(length: int, batch_size: int) -> None:
    for seq_length, warmup in WINDOWS_AND_WARMUPS:
        streams = Streams(places(length), batch_size, seq_length, warmup)
        batches = list(streams)
        assert len(batches) == streams.windows
        for batch in batches:
            assert {part.shape for part in batch} == {(batch_size, seq_length)}
            assert [part.dtype for part in batch] == [np.int32, np.int32, np.float32]
        assert batches[-1].mask.any()


def test_a_window_by_number_is_the_window_of_the_pass() -> None:
    streams = Streams(places(50), 3, 4, 2)
    for index, batch in enumerate(streams):
        for one, other in zip(streams.window(index), batch, strict=True):
            assert (one == other).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_ids_come_out_as_they_stand_on_disk(dtype: type) -> None:
    ids = np.array([0, 1, np.iinfo(dtype).max >> (dtype == np.uint32), 2], dtype)
    _, targets, mask = rejoined(Streams(ids, 1, 3))
    assert targets[mask == 1].tolist() == ids[1:].tolist()


@pytest.mark.parametrize("length", range(2, 40))
def test_fit_gives_sizes_that_fill_the_first_window(length: int) -> None:
    for asked_batch, asked_window in itertools.product((1, 2, 3, 16, 999), (1, 2, 5, 64, 999)):
        batch_size, seq_length = fit(length, asked_batch, asked_window)
        assert 1 <= batch_size <= asked_batch
        assert 1 <= seq_length <= asked_window
        streams = Streams(places(length), batch_size, seq_length)
        assert streams.window(0).mask.all(), (asked_batch, asked_window)


@pytest.mark.parametrize("length", range(2, 40))
def test_fit_leaves_alone_what_the_text_can_fill(length: int) -> None:
    for asked in itertools.product((1, 2, 3, 16), (1, 2, 5, 64)):
        assert (fit(length, *asked) == asked) == (asked[0] * asked[1] <= length - 1)


def test_fit_of_the_shortest_texts_is_usable() -> None:
    assert fit(2, 16, 64) == (1, 1)
    assert fit(1, 16, 64) == (1, 1)
