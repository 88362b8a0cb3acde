"""A checkpoint gives back what was saved, or refuses: never something else."""

import errno
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from mmap import mmap
from pathlib import Path
from typing import Any

import damage
import numpy as np
import pytest
from safetensors.numpy import load_file
from safetensors.numpy import save as serialize

from charrnn import files
from charrnn.config import Config
from charrnn.errors import CheckpointError
from charrnn.network.weights import add_prefix, initial_weights, specify, state_layout
from charrnn.runs import checkpoints
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.progress import Progress
from charrnn.runs.summary import summarize
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


def example(**slots: np.ndarray) -> Checkpoint:
    """A small `last` checkpoint; an optimizer may keep any tensors."""
    config = Config.of(units=2, embedding=2, batch_size=3, dropout=0.25, eval_every=3)
    vocabulary = Vocabulary.of('\n\0"\\ héllo wörld 汉字 \U0001f98a \udcff')
    state = {name: np.ones(*each) for name, each in state_layout(config.model, 3).items()}
    return Checkpoint(
        config,
        vocabulary,
        Progress(step=7, end=9, windows=5, best_loss_nats=1 / 3, loss_sum=1e-300),
        add_prefix("weights", initial_weights(config.model, vocabulary.size, 0))
        | add_prefix("optimizer", slots or {"slot": numbers("float32", (4, 6))})
        | add_prefix("state", state),
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
    found = checkpoints.load(PATH).part("optimizer")["w"]
    assert same(found, np.ascontiguousarray(array))


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
    assert set(checkpoint.part("optimizer")) == {"a", "b"}
    assert set(checkpoint.part("state")) == {"1/h", "1/c"}
    specified = specify(checkpoint.config.model, checkpoint.vocabulary.size)
    assert set(checkpoint.weights) == set(specified)
    assert checkpoint.parameters == sum(math.prod(each.shape) for each in specified.values())


def test_a_checkpoint_loads_without_tensorflow() -> None:
    checkpoints.save(PATH, example())
    script = (
        "import sys, pathlib, charrnn.runs.checkpoints as c;"
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


def test_any_altered_byte_is_refused() -> None:
    checkpoints.save(PATH, example())
    data = PATH.read_bytes()
    for place in range(len(data)):
        altered = bytearray(data)
        altered[place] ^= 1 << place % 8
        PATH.write_bytes(altered)
        with pytest.raises(CheckpointError):
            checkpoints.load(PATH)


def described(change: Callable[[dict[str, Any]], object]) -> None:
    """Write a checkpoint whose description was changed, its checksums made to fit."""
    checkpoints.save(PATH, example())
    header, data = damage.taken_apart(PATH.read_bytes())
    ((key, text),) = header.pop("__metadata__").items()
    description = json.loads(text)
    change(description)
    PATH.write_bytes(damage.put_together(header, key, description, data))


def mapped(array: np.ndarray) -> bool:
    """Whether an array is a view of a file on disk."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return isinstance(array.base, mmap)


@pytest.mark.parametrize("place", ["description", "layout", "numbers"])
def test_what_of_a_large_file_is_verified_before_it_is_read(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights stay on disk; everything else is verified."""
    monkeypatch.setattr(checkpoints, "READ_WHOLE", 0)
    checkpoints.save(PATH, example())
    assert mapped(checkpoints.open_weights(PATH).weights["logits/bias"])
    assert not mapped(checkpoints.load(PATH).weights["logits/bias"])
    old = {"description": "汉".encode("ascii", "backslashreplace"), "layout": b'"state/1/c"'}
    new = {"description": "江".encode("ascii", "backslashreplace"), "layout": b'"state/1/d"'}
    data = PATH.read_bytes()
    altered = data[:-1] + b"x" if place == "numbers" else data.replace(old[place], new[place])
    assert altered != data
    PATH.write_bytes(altered)
    if place == "numbers":
        checkpoints.open_weights(PATH)
    else:
        with pytest.raises(CheckpointError, match="its description does not match"):
            checkpoints.open_weights(PATH)
    with pytest.raises(CheckpointError, match=r"(does|do) not match"):
        checkpoints.load(PATH)


def test_any_program_reads_the_tensors() -> None:
    saved = example()
    checkpoints.save(PATH, saved)
    found = load_file(PATH)
    assert found.keys() == saved.tensors.keys()
    assert all(same(tensor, found[name]) for name, tensor in saved.tensors.items())


WRONG_TENSORS: dict[str, tuple[dict[str, np.ndarray | None], str]] = {
    "a weight missing": ({"weights/logits/bias": None}, "weights lack 'logits/bias'"),
    "a weight too many": ({"weights/more": np.zeros(1)}, "weights have 'more', which its"),
    "another shape": (
        {"weights/logits/bias": np.zeros((18, 1), np.float32)},
        r"weights have 'logits/bias' as float32 \[18, 1\], where .* float32 \[18\]",
    ),
    "another type": ({"weights/logits/bias": np.zeros(18)}, "as float64"),
    "a state missing": ({"state/1/c": None}, "states lack '1/c'"),
    "states of fewer streams": ({"state/1/c": np.zeros((2, 2), np.float32)}, r"\[3, 2\]"),
    "no number": ({"weights/logits/bias": np.full(18, np.nan, np.float32)}, "not finite"),
    "an infinite state": ({"state/1/h": np.full((3, 2), np.inf, np.float32)}, "not finite"),
    "another part": ({"weightsmith/a": np.zeros(1)}, "of no known part"),
}


@pytest.mark.parametrize("wrong", WRONG_TENSORS)
def test_tensors_that_the_settings_do_not_ask_for_are_refused(wrong: str) -> None:
    changes, why = WRONG_TENSORS[wrong]
    tensors = {**example().tensors, **changes}
    tensors = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    checkpoints.save(PATH, replace(example(), tensors=tensors))
    with pytest.raises(CheckpointError, match=f"^{PATH}: damaged checkpoint: .*{why}"):
        checkpoints.load(PATH)


def test_a_state_that_is_dropped_need_not_be_finite() -> None:
    """After the last window of an epoch the streams start anew."""
    saved = example()
    saved.tensors["state/1/h"][:] = np.inf
    checkpoints.save(PATH, replace(saved, progress=replace(saved.progress, step=10)))
    assert checkpoints.load(PATH).progress.window == 0


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_checkpoint_that_is_replaced_while_it_is_read_is_whole(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = example()
    new = replace(old, progress=replace(old.progress, step=old.progress.step + 1))
    checkpoints.save(PATH, old)
    check, replaced = checkpoints.safe_open, []

    def replace_once() -> None:
        if not replaced:
            replaced.append(checkpoints.save(PATH, new))

    def replacing(*arguments: Any, **options: Any) -> Any:
        if moment == "before":
            replace_once()
        checked = check(*arguments, **options)
        replace_once()
        return checked

    monkeypatch.setattr(checkpoints, "safe_open", replacing)
    assert checkpoints.load(PATH).progress == new.progress


@pytest.mark.parametrize("origin", [{}, "", 0, False, []])
def test_an_origin_that_is_none_of_ours_is_refused_by_all_who_read_it(origin: object) -> None:
    described(lambda description: description.update(origin=origin))
    for read in (checkpoints.load, summarize):
        with pytest.raises(CheckpointError, match=f"^{PATH}: damaged checkpoint: "):
            read(PATH)


def test_huge_sizes_are_refused_before_anything_is_made() -> None:
    described(lambda description: description["config"]["model"].update(units=65536, layers=64))
    with pytest.raises(CheckpointError, match="weights have 'recurrent_1/kernel' as"):
        checkpoints.load(PATH)
    described(lambda description: description["config"]["model"].update(units=10**12))
    with pytest.raises(CheckpointError, match="its setting 'units' must be at most 65536"):
        checkpoints.load(PATH)


def test_a_newer_format_is_refused_with_the_way_out() -> None:
    described(lambda description: description.update(format=checkpoints.FORMAT + 1))
    with pytest.raises(
        CheckpointError, match=f"^{PATH}: format {checkpoints.FORMAT + 1}, .*upgrade charrnn"
    ):
        checkpoints.load(PATH)


def test_a_newer_format_is_refused_whatever_else_it_holds() -> None:
    """A newer version may lay out or sum up everything else anew."""
    data = json.dumps({"format": checkpoints.FORMAT + 1})
    PATH.write_bytes(serialize({}, {checkpoints.KEY: data}))
    with pytest.raises(CheckpointError, match="newer charrnn"):
        checkpoints.load(PATH)


@pytest.mark.parametrize(
    "change",
    [
        lambda description: description.pop("vocabulary"),
        lambda description: description.pop("format"),
        lambda description: description.update(format="one"),
        lambda description: description.update(format=True),
        lambda description: description.update(format=0),
        lambda description: description.update(config=[]),
        lambda description: description.update(config={}),
        lambda description: description["config"].update(model={}),
        lambda description: description["config"]["model"].pop("direction"),
        lambda description: description["config"]["model"].update(layers=True),
        lambda description: description["config"]["model"].update(units=[8, [8]]),
        lambda description: description["config"]["model"].update(embedding="2"),
        lambda description: description["config"]["training"].update(clip_norm=10**400),
        lambda description: description["config"]["training"].update(warmup_steps=10**100),
        lambda description: description["vocabulary"].update(characters="ba"),
        lambda description: description["vocabulary"].update(characters="aab"),
        lambda description: description["vocabulary"].update(characters=""),
        lambda description: description["vocabulary"].update(characters=["a", "b"]),
        lambda description: description["vocabulary"].update(byte_level=1),
        lambda description: description["vocabulary"].update(byte_level=True),
        lambda description: description.update(progress={}),
        lambda description: description["progress"].update(step=-1),
        lambda description: description["progress"].update(step=1.0),
        lambda description: description["progress"].update(windows=0),
        lambda description: description["progress"].update(rate_scale=math.inf),
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
    PATH.write_bytes(serialize({"w": np.zeros(3)}, {"format": "pt"}))
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
