"""Files of other tools in each layout, with the equations that they were trained by."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import old_models as old
from old_models import CHARACTERS, Net

import charrnn as library
from charrnn.importing.importing import Imported
from charrnn.network.instant import InstantNetwork

ROOT = Path("checkpoints")
TEXT = "ab té\ne" * 40
"""It has the characters, each as often as the others."""
FIFTY = [n % len(CHARACTERS) for n in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3) * 5]
"""Characters, by the tool's numbers."""
FORGET = {"forget": 1.0}
TWO = {"biases": 2}
BEFORE = {"reset": "before"}


def written(name: str, data: bytes) -> Path:
    """A file with these bytes."""
    Path(name).write_bytes(data)
    return Path(name)


def folder(make: Callable[[Path], object]) -> Path:
    """A folder that something is put into."""
    make(Path("save"))
    return Path("save")


def tensorflow(net: Net, generation: int = 3, old_form: bool = False, **more) -> Path:
    """A folder of char-rnn-tensorflow."""
    path = Path("save")
    old.save_variables(path, old.variables(net, generation, **more), old_form)
    (path / "chars_vocab.pkl").write_bytes(old.chars_vocab())
    return path


def in_keras_3(net: Net, name: str, **settings) -> Path:
    """A file of the Keras that is installed."""
    model = old.keras_3(net, **settings)
    model.save_weights(name) if name.endswith(".weights.h5") else model.save(name)
    return Path(name)


def in_keras_2(net: Net, **more) -> Path:
    old.keras_2(Path("model.h5"), net, **more)
    return Path("model.h5")


def in_keras_1(net: Net) -> Path:
    old.keras_1(Path("weights.h5"), net)
    return Path("weights.h5")


def in_torch(net: Net, form=old.torch_zip, **more) -> Path:
    """A file of PyTorch, with the characters where a course keeps them."""
    saved = {"state_dict": old.state_dict(net, **more), "tokens": tuple(CHARACTERS)}
    return written("rnn.net", form(saved))


def tf2(net: Net) -> Path:
    """A checkpoint of TensorFlow 2's tutorial, which has no vocabulary."""
    gates = old.KERAS[net.cell][1]
    made = {"layer_with_weights-0/embeddings": net.embeddings}
    for place in range(len(net.units)):
        layer = f"layer_with_weights-{place + 1}/cell"
        biases = [net.joined(place, part, gates) for part in (2, 3)]
        made[f"{layer}/kernel"] = net.joined(place, 0, gates)
        made[f"{layer}/recurrent_kernel"] = net.joined(place, 1, gates)
        made[f"{layer}/bias"] = np.stack(biases) if net.cell == "gru" else biases[0]
    last = f"layer_with_weights-{len(net.units) + 1}"
    made |= {f"{last}/kernel": net.kernel, f"{last}/bias": net.bias}
    old.save_variables(
        Path("save"), {f"{name}/.ATTRIBUTES/VARIABLE_VALUE": each for name, each in made.items()}
    )
    return Path("save")


def lstm(**more) -> Net:
    return Net("lstm", **more)


def gru(**more) -> Net:
    return Net("gru", **more)


def rnn(**more) -> Net:
    return Net("rnn", **more)


HARD = {"gate": old.slope_02}
ONE_HOT = {"embedding": 0}
LAYOUTS = {
    "torch-rnn lstm": (lstm(), lambda net: written("a.t7", old.torch_rnn(net)), {}),
    "torch-rnn gru": (
        gru(),
        lambda net: written("a.t7", old.torch_rnn(net)),
        BEFORE | {"z_weighs": "new"},
    ),
    "torch-rnn rnn": (rnn(), lambda net: written("a.t7", old.torch_rnn(net)), {}),
    "char-rnn lstm": (lstm(**ONE_HOT), lambda net: written("a.t7", old.char_rnn(net)), TWO),
    "char-rnn early lstm": (
        lstm(**ONE_HOT),
        lambda net: written("a.t7", old.char_rnn(net, narrow=True)),
        TWO,
    ),
    "char-rnn gru": (
        gru(**ONE_HOT),
        lambda net: written("a.t7", old.char_rnn(net)),
        TWO | BEFORE | {"z_weighs": "new"},
    ),
    "char-rnn rnn": (rnn(**ONE_HOT), lambda net: written("a.t7", old.char_rnn(net)), TWO),
    "char-rnn-tensorflow 1": (lstm(), lambda net: tensorflow(net, 1, True), FORGET),
    "char-rnn-tensorflow 2": (lstm(), lambda net: tensorflow(net, 2), FORGET),
    "char-rnn-tensorflow 3": (lstm(), tensorflow, FORGET),
    "char-rnn-tensorflow gru": (gru(), lambda net: tensorflow(net, 1), BEFORE),
    "char-rnn-tensorflow rnn": (rnn(), tensorflow, {}),
    "tensorflow-char-rnn": (lstm(**ONE_HOT), tensorflow, {}),
    "ml5": (lstm(), lambda net: folder(lambda path: old.ml5(path, net)), FORGET),
    "pytorch lstm": (lstm(**ONE_HOT), in_torch, TWO),
    "pytorch before 1.6": (lstm(), lambda net: in_torch(net, old.torch_legacy), TWO),
    "pytorch gru": (gru(), in_torch, TWO),
    "pytorch rnn": (rnn(), lambda net: in_torch(net, old.torch_legacy), TWO),
    "keras 1 lstm": (lstm(**ONE_HOT), in_keras_1, HARD),
    "keras 1 gru": (gru(**ONE_HOT), in_keras_1, HARD | BEFORE),
    "keras 2 lstm": (lstm(), in_keras_2, HARD),
    "keras 2 gru": (gru(), in_keras_2, HARD | BEFORE),
    "keras 2 rnn": (rnn(), in_keras_2, {}),
    "keras 2 weights": (
        lstm(),
        lambda net: in_keras_2(net, config=False, version="2.2.4"),
        HARD,
    ),
    "keras 2.3 weights": (lstm(), lambda net: in_keras_2(net, config=False, version="2.3.1"), {}),
    "keras 2 cudnn lstm": (lstm(), lambda net: in_keras_2(net, cudnn=True), TWO),
    "keras 2 cudnn gru": (gru(), lambda net: in_keras_2(net, cudnn=True), TWO),
    "keras 2.3 gru": (
        gru(),
        lambda net: in_keras_2(net, reset_after=True, settings={"recurrent_activation": "sigmoid"}),
        TWO,
    ),
    "keras 3 lstm": (lstm(), lambda net: in_keras_3(net, "a.keras"), {}),
    "keras 3 gru": (gru(), lambda net: in_keras_3(net, "a.keras"), TWO),
    "keras 3 hard": (
        lstm(**ONE_HOT),
        lambda net: in_keras_3(net, "a.keras", recurrent_activation="hard_sigmoid"),
        {"gate": old.slope_16},
    ),
    "keras 3 weights": (lstm(), lambda net: in_keras_3(net, "a.weights.h5"), {}),
    "tensorflow 2 gru": (gru(), tf2, TWO),
    "tensorflow 2 lstm": (lstm(), tf2, {}),
}
WITHOUT = ("keras", "tensorflow 2")
"""Tools whose files have no vocabulary."""


def vocabulary() -> Path:
    """The characters in the tool's order, as a list."""
    path = Path("chars.json")
    path.write_text(json.dumps(list(CHARACTERS)))
    return path


def logits_in(done: Imported, ids) -> np.ndarray:
    """The run's logits after characters by the tool's numbers, in the tool's order."""
    model = library.load(done.run.folder)
    network = InstantNetwork(model.checkpoint.config.model, model.checkpoint.weights)
    characters = [CHARACTERS[each] for each in ids]
    numbers = model.vocabulary.encode("".join(characters))
    logits = network.read(numbers[:, None])[0]
    return logits[model.vocabulary.encode(CHARACTERS)]
