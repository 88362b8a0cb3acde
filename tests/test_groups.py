"""However many texts are wanted, a group of them is in memory; the texts are the same."""

import json

import pytest
from commands import charrnn, untrained
from test_sampling import byte_model, model_of

from charrnn.errors import ConfigError
from charrnn.sampling import engines, writing
from charrnn.sampling.track import Track

SETTINGS = [
    {},
    {"lines": 1},
    {"best_of": 3},
    {"best_of": 4, "stop": ("a",), "repetition_penalty": 1.5},
    {"match": "[abc ]+\n", "temperature": (1, 0.5)},
]


@pytest.fixture
def group(monkeypatch):
    """A function that sets how many texts of a model make a group."""

    def of(texts, model, **settings):
        size = model.write(**settings).text_bytes
        monkeypatch.setattr(writing, "GROUP_BYTES", texts * size)

    return of


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("engine", ["numpy", "tensorflow"])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_texts_of_groups_are_those_of_all_at_once(settings, engine, group):
    model = model_of(3)
    given = {"count": 5, "length": 15, "seed": 1, "engine": engine, **settings}
    texts = model.texts("c", **given)
    for size in (1, 2, 7):
        group(size, model, **given)
        for text, other in zip(texts, model.texts("c", **given), strict=True):
            assert (text.text, text.number, text.end[0]) == (other.text, other.number, other.end[0])
            assert text.log_probability == pytest.approx(other.log_probability, 1e-5)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_pieces_are_those_of_all_texts(direction, group):
    model = byte_model(direction=direction)
    given = {"count": 3, "length": 9, "seed": 1}
    rows = list(model.write("à", **given))
    group(1, model, **given)
    assert list(model.write("à", **given)) == rows


def test_no_more_than_a_group_is_held(group, monkeypatch):
    model, held = model_of(), []
    group(10, model, length=4)
    noted = lambda form, number: held.append(number) or Track(form, number)  # noqa: E731
    monkeypatch.setattr(writing, "Track", noted)
    texts = model.finish(model.write(count=1 << 20, best_of=8, length=4, seed=1), "")
    assert held == list(range(10))
    assert [next(iter(texts)).number // 8, next(iter(texts)).number // 8] == [0, 1]
    assert held == list(range(20))


def test_texts_come_as_soon_as_they_are_chosen(group):
    model = model_of()
    group(4, model, length=5)
    made = model.write(count=8, best_of=2, length=5, seed=1)
    reads, read = [], made.engine.read
    made.engine.read = lambda ids: reads.append(ids.shape[1]) or read(ids)
    texts = iter(model.finish(made, ""))
    assert next(texts).number // 2 == 0
    assert len(reads) == 5
    assert [text.number // 2 for text in texts] == [1, 2, 3, 4, 5, 6, 7]
    assert set(reads) == {4}


def test_what_does_not_fit_is_refused(group, monkeypatch, tmp_path):
    model = model_of()
    group(2, model)
    monkeypatch.setattr(engines, "MOST_BYTES", 10 * model.write().text_bytes)
    message = "11 texts at once would take .* GiB; at most 10 fit$"
    with pytest.raises(ConfigError, match=f"^`beam` 11: {message}"):
        model.generate(beam=11)
    assert model.generate(beam=10, length=5)
    with pytest.raises(ConfigError, match=f"^`count` 11: {message}"):
        next(iter(model.write(count=11)))
    in_groups = model.write(count=10, length=5)
    in_groups.texts()
    with pytest.raises(ConfigError, match="so many texts are written in groups"):
        model.save_state(tmp_path / "state", in_groups)


def test_the_command_shows_and_continues_texts_of_groups(monkeypatch):
    untrained()
    given = ("sample", "--count", 3)
    whole = charrnn(*given, "--seed", 1, "--length", 6)
    texts = texts_of(charrnn(*given, "--json", "--seed", 1, "--length", 6))
    with monkeypatch.context() as patched:
        patched.setattr(writing, "GROUP_BYTES", 1)
        assert charrnn(*given, "--seed", 1, "--length", 6) == whole
        first = ("--json", "--seed", 1, "--length", 2, "--state-out", "state")
        begun = texts_of(charrnn(*given, *first))
    rest = texts_of(charrnn(*given, "--json", "--length", 4, "--state-in", "state"))
    assert [one + two for one, two in zip(begun, rest, strict=True)] == texts


def texts_of(outcome):
    """The texts in the lines of `charrnn sample --json`."""
    return [json.loads(line)["text"] for line in outcome.out.splitlines()]
