"""Settings: every limit holds, messages name the setting, plain data brings them back."""

import dataclasses
import json
import math
import typing
from dataclasses import Field, fields
from typing import Any

import numpy as np
import pytest

from charrnn.cells import CELLS
from charrnn.config import (
    GROUPS,
    Config,
    ModelConfig,
    Plan,
    SamplingConfig,
    TextConfig,
    TrainingConfig,
    parse_duration,
)
from charrnn.config.settings import format_setting, name_of, resolve, suits
from charrnn.errors import ConfigError

OWNERS: list[tuple[type, Field]] = [(GROUPS[group], each) for group, each in Config.fields()]
OWNERS += [(group, each) for group in (SamplingConfig, Plan) for each in fields(group)]
OWNERS = [(group, each) for group, each in OWNERS if not each.metadata.get("hidden")]
INEXACT = {"learning_rate", "weight_decay", "warmup_steps", "clip_norm"}
INEXACT |= {"dropout", "variational", "recurrent_dropout", "threads", "exchange_every"}
RESUMABLE = {"patience", "eval_every", "eval_chars", "sample_every", "checkpoint_every"} | INEXACT


def named(cases: list[Any]) -> list[Any]:
    """Cases (owner, field, …) with the setting in the test's name."""
    return [
        pytest.param(*case, id=" ".join(map(str, (name_of(case[1]), *case[2:])))) for case in cases
    ]


def is_number(owner: type, each: Field) -> bool:
    hint = typing.get_type_hints(owner)[each.name]
    return bool({int, float} & {hint, *typing.get_args(hint)})


def outside(each: Field) -> list[Any]:
    """Values just beyond the setting's limits."""
    beyond = {
        "low": lambda bound: bound - 1,
        "high": lambda bound: bound + 1,
        "above": lambda bound: bound,
        "below": lambda bound: bound,
        "choices": lambda bound: "nonsense",
    }
    limits = each.metadata
    return [shift(limits[name]) for name, shift in beyond.items() if name in limits]


def at_the_edge(each: Field) -> list[Any]:
    """Values that the setting's inclusive limits still allow."""
    limits = each.metadata
    return [limits[name] for name in ("low", "high") if name in limits] + list(
        resolve(limits.get("choices", ()))
    )


OUTSIDE = [(owner, each, value) for owner, each in OWNERS for value in outside(each)]
EDGES = [(owner, each, value) for owner, each in OWNERS for value in at_the_edge(each)]
NUMBERS = [(owner, each) for owner, each in OWNERS if is_number(owner, each)]


@pytest.mark.parametrize(("owner", "each", "value"), named(OUTSIDE))
def test_a_value_beyond_a_limit_is_refused_by_its_name(
    owner: type, each: Field, value: Any
) -> None:
    with pytest.raises(ConfigError) as caught:
        owner(**{each.name: value})
    assert (caught.value.setting, caught.value.value) == (name_of(each), value)
    assert str(caught.value).startswith(f"`{name_of(each)}` {value!r}: must be ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("owner", "each", "value"), named(EDGES))
def test_a_value_at_an_inclusive_limit_is_taken(owner: type, each: Field, value: Any) -> None:
    assert getattr(owner(**beside(each, value), **{each.name: value}), each.name) == value


def beside(each: Field, value: Any) -> dict[str, Any]:
    """What else must be set: an activation belongs to a cell that leaves the choice."""
    choosers = (name for name, cell in CELLS.items() if value in getattr(cell, each.name + "s", ()))
    return {"cell": next(choosers)} if "activation" in each.name else {}


@pytest.mark.parametrize(("owner", "each"), named(NUMBERS))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_are_finite(owner: type, each: Field, value: float) -> None:
    with pytest.raises(ConfigError, match=f"^`{name_of(each)}` "):
        owner(**{each.name: value})


@pytest.mark.parametrize(("owner", "each"), named(NUMBERS))
def test_no_number_may_be_negative(owner: type, each: Field) -> None:
    value = min(-1, each.metadata.get("low", 0) - 1)  # length -1 means: without end
    with pytest.raises(ConfigError, match=f"^`{name_of(each)}` {value}"):
        owner(**{each.name: value})


def test_every_setting_has_a_name_of_its_own_and_help() -> None:
    names = [each.name for _, each in Config.fields()]
    assert len(set(names)) == len(names)
    for _, each in OWNERS:
        assert resolve(each.metadata["help"]).endswith(".")


def test_a_config_changes_through_the_library_as_through_its_group() -> None:
    with pytest.raises(ConfigError, match=r"^`seq_length` 0: must be at least 1$"):
        Config.of(seq_length=0)
    with pytest.raises(ConfigError, match=r"^`dropout` 1: must be below 1$"):
        Config().changed({"dropout": 1})


def test_settings_find_their_group_and_the_others_keep_their_values() -> None:
    config = Config.of(units=7, min_count=3).changed({"seed": 5})
    assert config.model == ModelConfig(units=7)
    assert config.text == TextConfig(min_count=3)
    assert config.training == TrainingConfig(seed=5)
    assert Config.of() == Config()


def test_a_setting_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match="`colour` `unitz`: no such setting"):
        Config.of(unitz=3, colour="red", units=3)


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().model.units = 3  # type: ignore[misc]


@pytest.mark.parametrize(("val", "test"), [(0.5, 0.5), (0.9, 0.2), (0.0, 0.999999)])
def test_the_held_out_parts_must_leave_something_to_train_on(val: float, test: float) -> None:
    if val + test < 1:
        assert TextConfig(val_fraction=val, test_fraction=test).val_fraction == val
    else:
        with pytest.raises(ConfigError, match=r"^`val_fraction` .* `test_fraction` .*: together"):
            TextConfig(val_fraction=val, test_fraction=test)


@pytest.mark.parametrize(
    ("group", "each"),
    [(group, each) for group in (*GROUPS.values(), SamplingConfig) for each in fields(group)],
)
def test_none_is_a_value_of_those_settings_alone_whose_type_has_it(
    group: type, each: Field
) -> None:
    if suits(None, each.type):
        group(**{each.name: None})
    else:
        with pytest.raises(ConfigError, match=name_of(each)):
            group(**{each.name: None})


@pytest.mark.parametrize("encoding", ["klingon", "", "rot13", "hex", "undefined", "utf\0"])
def test_an_encoding_that_no_text_can_have_is_refused(encoding: str) -> None:
    with pytest.raises(ConfigError, match="`encoding`") as caught:
        TextConfig(encoding=encoding)
    assert "try utf-8" in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "latin-1", "utf-16", "gb18030", "shift_jis"])
def test_known_encodings_are_taken(encoding: str) -> None:
    assert TextConfig(encoding=encoding).encoding == encoding


def test_plain_data_brings_a_config_back() -> None:
    config = Config.of(
        cell="gru", units=3, dropout=0.25, val_fraction=0.2, eval_every=9, bytes=True
    )
    assert config != Config()
    assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_sizes_of_layers_come_back_from_plain_data_too() -> None:
    config = Config.of(units=[5, 3], tie_embeddings=True)
    assert config.model.units == (5, 3)
    assert Config.of(units=np.array([5, 3]), tie_embeddings=True) == config
    assert config.model.layers == 2
    assert config.model.embedding == 3
    assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"units": (5, 3), "layers": 3}, r"`units` \(5, 3\): 2 numbers for 3 layers"),
        ({"units": (5, 0)}, "`units` 0: must be at least 1"),
        ({"units": (5, 3.5)}, r"`units` \(5, 3.5\): must be whole numbers"),
        ({"units": ()}, "`units`"),
        ({"units": ("a", "b")}, r"`units` \('a', 'b'\): must be whole numbers"),
        ({"units": (8,) * 70}, "`layers` 70: must be at most 64"),
        ({"units": (5, 3), "residual": True}, r"`residual` `units` \(5, 3\): .* the same"),
        ({"tie_embeddings": True, "embedding": 3, "units": 4}, "`tie_embeddings` `embedding` 3"),
        ({"cell": "mingru", "recurrent_dropout": 0.5}, "`recurrent_dropout`: .* mingru has no"),
        ({"cell": "indrnn", "recurrent_dropout": 0.5}, "`recurrent_dropout`: .* indrnn has no"),
        ({"activation": "relu"}, "`activation` 'relu': .* leave it out"),
    ],
)
def test_settings_that_contradict_one_another_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Config.of(**settings)


def test_a_value_written_in_another_way_is_the_same() -> None:
    config = Config.of(units=8, layers=2, cell="rnn")
    same = ({"units": (8, 8)}, {"units": [8, 8]}, {"units": "8,8"}, {"activation": "tanh"})
    for settings in same:
        assert config.resumed(settings) == config
    assert Config.of(cell="rnn", units=(8, 8)) == config
    with pytest.raises(ConfigError, match="`activation` 'relu': the run has tanh"):
        config.resumed({"activation": "relu"})


def test_units_for_each_layer_keep_what_they_can_of_a_cell_s_defaults() -> None:
    assert Config.of(cell="mingru", units=(9, 9)).model.residual
    assert Config.of(cell="mingru", units=(9, 9)).model.layers == 2
    assert not Config.of(cell="mingru", units=(9, 8)).model.residual


def test_a_cell_s_own_defaults_give_way_to_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CELLS["mgu"], "defaults", {"layers": 3, "learning_rate": 0.5})
    assert Config.of(cell="mgu").model.layers == 3
    assert Config.of(cell="mgu", layers=1).model.layers == 1
    assert Config.of(cell="mgu").training.learning_rate == 0.5
    assert Config.of().training.learning_rate != 0.5
    assert Config.of(cell="mgu", units=(3, 2)).model.layers == 2


def test_plain_data_of_an_impossible_config_is_refused() -> None:
    data = Config().to_json()
    data["model"]["units"] = 0
    with pytest.raises(ConfigError, match="`units` 0"):
        Config.from_json(data)


def other(each: Field, kept: Any) -> Any:
    """Another allowed value of the setting."""
    if isinstance(kept, bool):
        return not kept
    if isinstance(kept, str):
        choices = resolve(each.metadata.get("choices", ("latin-1",)))
        return next(choice for choice in choices if choice != kept)
    if kept is None:
        choices = resolve(each.metadata.get("choices"))
        return choices[-1] if choices else 3
    if isinstance(kept, float):
        return kept / 2 or 0.5
    return kept + 1


STORED = [pair for pair in OWNERS if pair[0] in GROUPS.values()]


@pytest.mark.parametrize(("owner", "each"), named(STORED))
def test_a_run_goes_on_with_changes_only_where_they_are_harmless(owner: type, each: Field) -> None:
    config = Config.of(eval_every=5, sample_every=5, checkpoint_every=5)
    group = next(name for name, kind in GROUPS.items() if kind is owner)
    kept = getattr(getattr(config, group), each.name)
    asked = other(each, kept)
    assert config.resumed({each.name: kept}) == config
    if each.name in RESUMABLE:
        changed = config.resumed({each.name: asked})
        assert changed == config.changed({each.name: asked})
        assert [name for name, *_ in config.inexact(changed)] == [each.name] * (
            each.name in INEXACT
        )
    else:
        with pytest.raises(ConfigError) as caught:
            config.resumed({each.name: asked})
        given = "" if asked is True else f" {asked!r}"
        words = (
            {True: "it on", False: "it off"}[kept]
            if isinstance(kept, bool)
            else format_setting(kept)
        )
        expected = f"`{name_of(each)}`{given}: the run has {words}, which cannot change"
        assert str(caught.value).startswith(expected)
        assert "`name`" in caught.value.way_out


def test_a_run_goes_on_unchanged_when_nothing_is_asked() -> None:
    config = Config.of(units=3)
    assert config.resumed({}) == config
    with pytest.raises(ConfigError, match="`unitz`: no such setting"):
        config.resumed({"unitz": 4})


@pytest.mark.parametrize("several", [{"epochs": 1, "steps": 1}, {"steps": 1, "seconds": 1}])
def test_a_plan_takes_one_length_at_most(several: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="`epochs`, `steps` and `time`"):
        Plan(**several)


def test_only_a_plan_of_time_or_none_needs_the_speed() -> None:
    assert Plan().empty
    assert Plan().needs_speed
    assert Plan(seconds=3).needs_speed
    assert not Plan(seconds=3).empty
    assert not Plan(steps=3).needs_speed
    assert not Plan(epochs=0.5).needs_speed
    assert Plan(warm_restart=0.5).empty


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h30m15s", 5415),
        ("1.5h", 5400),
        ("0.5s", 0.5),
        (" 2M ", 120),
        ("1min", 60),
        ("2 min", 120),
        ("5 m", 300),
        ("1 h 30 min", 5400),
        ("1h30", 5400),
        ("1m30", 90),
        ("2 hours 5 minutes 1 second", 7501),
        ("45 sec", 45),
        ("0", 0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "h",
        "5x",
        "-5m",
        "+5m",
        "m5",
        "5m2h",
        "1e3",
        "nan",
        "inf",
        "1 2",
        "1..5s",
        "5,5m",
        "5 mon",
    ],
)
def test_what_is_not_a_duration_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="`time`") as caught:
        parse_duration(text)
    assert text in str(caught.value)


@pytest.mark.parametrize("text", ["0", "0s", "99999999h", "9" * 400 + "s"])
def test_a_plan_of_no_time_or_endless_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^`time` "):
        Plan(seconds=parse_duration(text))
