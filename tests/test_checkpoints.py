"""A checkpoint gives back what was saved, or refuses: never something else."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn import checkpoints, files
from charrnn.checkpoints import Checkpoint
from charrnn.config import Config
from charrnn.errors import CheckpointError
from charrnn.network.weights import prefixed
from charrnn.progress import Progress
from charrnn.text.vocabulary import Vocabulary

DTYPES = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)))
DTYPES += ("float16", "float32", "float64")
SHAPES = ((), (0,), (1,), (3, 5), (2, 1, 4))
PATH = Path("last.safetensors")


def numbers(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers that use every byte of their type."""
    random = np.random.default_rng(7)
    raw = random.integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    if dtype == "bool":
        return (raw[..., 0] % 2).astype(bool)
    return np.ascontiguousarray(raw).view(dtype)[..., 0]


def example(**tensors: np.ndarray) -> Checkpoint:
    """A small checkpoint."""
    return Checkpoint(
        Config.of(units=8, dropout=0.25, eval_every=3),
        Vocabulary.of('\n\0"\\ héllo wörld 汉字 \U0001f98a \udcff'),
        Progress(step=7, end=9, best_loss_nats=1 / 3, loss_sum=1e-300),
        prefixed("weights", tensors or {"w": numbers("float32", (4, 6))}),
    )


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays agree in type, shape and every bit."""
    alike = one.dtype == other.dtype and one.shape == other.shape
    return alike and one.tobytes() == other.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_come_back_bit_for_bit(dtype: str) -> None:
    saved = example(**{f"shape{i}": numbers(dtype, shape) for i, shape in enumerate(SHAPES)})
    checkpoints.save(PATH, saved)
    loaded = checkpoints.load(PATH)
    assert saved.tensors.keys() == loaded.tensors.keys()
    for name, tensor in saved.tensors.items():
        assert same(tensor, loaded.tensors[name]), name


@pytest.mark.parametrize(
    "rearranged",
    [lambda a: a.T, lambda a: a[::2], lambda a: a[:, ::-1], lambda a: np.asfortranarray(a)],
)
def test_arrays_in_any_memory_order_come_back(rearranged: Callable[[Any], Any]) -> None:
    array = rearranged(numbers("float32", (4, 6)))
    checkpoints.save(PATH, example(w=array))
    assert same(checkpoints.load(PATH).weights["w"], np.ascontiguousarray(array))


def test_everything_beside_the_tensors_comes_back() -> None:
    saved = example()
    checkpoints.save(PATH, saved)
    loaded = checkpoints.load(PATH)
    assert (loaded.config, loaded.vocabulary, loaded.progress) == (
        saved.config,
        saved.vocabulary,
        saved.progress,
    )


def test_parts_are_the_tensors_below_a_prefix() -> None:
    checkpoint = example(a=np.zeros((2, 3)), b=np.zeros(()))
    tensors = {**checkpoint.tensors, "optimizer/a": np.ones(5), "weightsmith": np.ones(5)}
    checkpoint = replace(checkpoint, tensors=tensors)
    assert set(checkpoint.weights) == {"a", "b"}
    assert set(checkpoint.part("optimizer")) == {"a"}
    assert checkpoint.parameters == 2 * 3 + 1


def test_a_checkpoint_loads_without_tensorflow() -> None:
    checkpoints.save(PATH, example())
    script = (
        "import sys, pathlib, charrnn.checkpoints as c;"
        f"print(c.load(pathlib.Path('{PATH}')).progress.step);"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr


def test_a_file_cut_short_anywhere_is_refused() -> None:
    checkpoints.save(PATH, example())
    data = PATH.read_bytes()
    for length in {0, 1, 7, 8, 9, len(data) - 1, *range(0, len(data), 37)}:
        PATH.write_bytes(data[:length])
        with pytest.raises(CheckpointError, match=f"^{PATH}: .*damaged.*`which"):
            checkpoints.load(PATH)


def test_a_file_with_bytes_added_is_refused() -> None:
    checkpoints.save(PATH, example())
    PATH.write_bytes(PATH.read_bytes() + b"\0")
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoints.load(PATH)


@pytest.mark.parametrize("flipped", [0x01, 0x20, 0x80, 0xFF])
def test_one_altered_byte_is_refused_or_harmless(flipped: int) -> None:
    """Harmless: a header that means the same as before, as with another case of hex digits."""
    saved = example()
    checkpoints.save(PATH, saved)
    data = PATH.read_bytes()
    header_end = 8 + int.from_bytes(data[:8], "little")
    for place in range(len(data)):
        altered = bytearray(data)
        altered[place] ^= flipped
        PATH.write_bytes(altered)
        try:
            loaded = checkpoints.load(PATH)
        except CheckpointError:
            continue
        assert place < header_end
        assert loaded.config == saved.config
        assert loaded.vocabulary == saved.vocabulary
        assert loaded.progress == saved.progress
        assert same(loaded.weights["w"], saved.weights["w"])


def described(change: Callable[[dict[str, Any]], object]) -> None:
    """Write a checkpoint whose description was changed, its checksum made to fit."""
    checkpoint = example()
    checkpoints.save(PATH, checkpoint)
    description, tensors = checkpoints.read(PATH)
    del description["checksum"]
    change(description)
    description["checksum"] = checkpoints.checksum(description, tensors)
    PATH.write_bytes(checkpoints.serialize(tensors, {checkpoints.KEY: json.dumps(description)}))


def test_rollbacks_are_read_under_the_name_that_early_checkpoints_give_them() -> None:
    def early(description: dict[str, Any]) -> None:
        description["format"] = 1
        del description["progress"]["rollbacks"]
        description["progress"]["returns"] = 2

    described(early)
    assert checkpoints.load(PATH).progress == replace(example().progress, rollbacks=2)


def test_early_checkpoints_count_every_window_as_full() -> None:
    def early(description: dict[str, Any]) -> None:
        del description["progress"]["filled_windows"]
        description["progress"] |= {"counted_steps": 4, "loss_sum": 8.0}

    described(early)
    assert checkpoints.load(PATH).progress.train_loss_nats == 2


def test_a_newer_format_is_refused_with_the_way_out() -> None:
    described(lambda description: description.update(format=checkpoints.FORMAT + 1))
    with pytest.raises(CheckpointError, match=f"^{PATH}: format 3, .*pip install --upgrade"):
        checkpoints.load(PATH)


def test_a_newer_format_is_refused_whatever_else_it_holds() -> None:
    """A newer version may lay out or sum up everything else anew."""
    data = json.dumps({"format": checkpoints.FORMAT + 1})
    PATH.write_bytes(checkpoints.serialize({}, {checkpoints.KEY: data}))
    with pytest.raises(CheckpointError, match="newer charrnn"):
        checkpoints.load(PATH)


@pytest.mark.parametrize(
    "change",
    [
        lambda description: description.pop("vocabulary"),
        lambda description: description.pop("format"),
        lambda description: description.update(format="one"),
        lambda description: description.update(config=[]),
        lambda description: description["config"]["model"].update(units=0),
        lambda description: description["config"]["model"].update(units="many"),
        lambda description: description["config"]["model"].update(wings=2),
        lambda description: description["progress"].update(wings=2),
    ],
)
def test_an_impossible_description_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    described(change)
    with pytest.raises(CheckpointError, match=f"^{PATH}: damaged"):
        checkpoints.load(PATH)


def test_a_stranger_s_safetensors_file_is_refused() -> None:
    PATH.write_bytes(checkpoints.serialize({"w": np.zeros(3)}, {"format": "pt"}))
    with pytest.raises(CheckpointError, match="not a charrnn checkpoint"):
        checkpoints.load(PATH)


CRASHES = {
    "the disk is full": (os, "fsync", OSError(errno.ENOSPC, "No space left on device")),
    "the process is told to end": (os, "fsync", KeyboardInterrupt()),
    "the rename fails": (Path, "replace", PermissionError(errno.EACCES, "Permission denied")),
    "no temporary file": (
        files.tempfile,
        "mkstemp",
        OSError(errno.ENOSPC, "Full", "last.safetensors"),
    ),
}


@pytest.mark.parametrize("crash", CRASHES)
def test_a_failed_save_leaves_the_old_file_and_nothing_else(
    crash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = example()
    checkpoints.save(PATH, old)
    before = PATH.read_bytes()
    owner, name, error = CRASHES[crash]

    def fail(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, fail)
        with pytest.raises(type(error)) as caught:
            checkpoints.save(PATH, replace(old, progress=Progress(step=8)))
    if isinstance(error, OSError):
        assert caught.value.filename == str(PATH)
    assert [path.name for path in Path().iterdir()] == [PATH.name]
    assert PATH.read_bytes() == before


def test_a_save_replaces_the_old_file_and_leaves_nothing_else() -> None:
    old = example()
    checkpoints.save(PATH, old)
    checkpoints.save(PATH, replace(old, progress=Progress(step=8)))
    assert [path.name for path in Path().iterdir()] == [PATH.name]
    assert checkpoints.load(PATH).progress.step == 8


def test_the_data_is_on_disk_before_it_takes_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    fsync, rename = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append("flush"), fsync(handle)))
    monkeypatch.setattr(Path, "replace", lambda *paths: (done.append("rename"), rename(*paths)))
    checkpoints.save(PATH, example())
    assert done == ["flush", "rename", "flush"]


def test_a_checkpoint_is_as_readable_as_any_new_file() -> None:
    Path("other").write_bytes(b"")
    checkpoints.save(PATH, example())
    assert PATH.stat().st_mode == Path("other").stat().st_mode
