"""Python's own help names every setting, with its default, and imports no TensorFlow."""

import inspect
import subprocess
import sys
from dataclasses import fields

import pytest
from commands import untrained
from test_sampling import model_of

import charrnn
from charrnn.config import GROUPS, SamplingConfig
from charrnn.config.settings import ADVISED
from charrnn.models.language_model import Blend
from charrnn.models.text_model import TextModel

WRITERS = [charrnn.generate, *(getattr(TextModel, each) for each in ("generate", "write", "texts"))]


@pytest.mark.parametrize(
    ("function", "groups"),
    [(charrnn.train, GROUPS.values()), *((each, [SamplingConfig]) for each in WRITERS)],
)
def test_help_lists_every_setting_with_its_default(function, groups):
    parameters = inspect.signature(function).parameters
    help = " ".join(inspect.getdoc(function).split())
    for setting in (each for group in groups for each in fields(group)):
        if setting.metadata.get("internal"):
            assert setting.name not in parameters
            continue
        advised = setting.metadata.get("advised", False)
        told = setting.metadata.get("shown", ADVISED if advised else repr(setting.default))
        assert f" {setting.name} ({told}): " in help
        if setting.name != "count":  # generate tells by it whether to return a list
            assert parameters[setting.name].default == (None if advised else setting.default)
        if not callable(setting.metadata.get("choices")):
            assert f"): {setting.metadata['help']}" in help


@pytest.mark.parametrize("function", WRITERS)
def test_help_names_what_is_handed_on(function):
    parameters = inspect.signature(function).parameters
    assert {"prompt", "seed", "engine", "state", "temperature"} <= set(parameters)
    assert "settings" not in parameters


def test_the_settings_come_after_what_the_function_says_itself():
    text = inspect.getdoc(charrnn.train)
    assert text.index("Raises:") < text.index("How files become characters")
    assert "cell (chosen): One of clockwork, coupled, gru," in " ".join(text.split())


def test_help_imports_no_tensorflow():
    code = (
        "import sys, pydoc, charrnn; pydoc.render_doc(charrnn.train);"
        "pydoc.render_doc(charrnn.generate);"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_model_shows_what_it_is_and_how_good():
    model = charrnn.load(untrained().folder)
    model.checkpoint.progress.best_loss_nats = 1.386294361
    model.checkpoint.progress.step = 70
    size = model.vocabulary.size
    assert repr(model) == (
        f"LanguageModel('checkpoints/fox/best.safetensors', cell='lstm', layers=1, units=8,"
        f" vocabulary={size}, step=70, best_bits_per_char=2.0)"
    )
    assert "best_bits_per_char=None" in repr(model_of())
    one = model_of()
    assert repr(Blend([one, one], [1, 3])) == f"Blend([{one!r}, {one!r}], weights=[0.333, 1.0])"
