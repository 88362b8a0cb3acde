"""The rule that picks what to train: it grows with time and text, and gives way to the user."""

import dataclasses
import itertools

import pytest

from charrnn.cells import CELLS
from charrnn.config import Config, Plan
from charrnn.config.training import SIZES as NAMES
from charrnn.training.recipe import (
    DROPOUT,
    RATE,
    RECURRENT_DROPOUT,
    SIZES,
    UNIT_OPERATIONS,
    WEIGHT_DECAY,
    Task,
    advise,
    best_size,
    between,
    characters_per_second,
    operations_per_character,
    recurrent_weights,
)

MACHINE = 1e11
"""Operations a second of a laptop with two cores."""
TEXT = Task(characters=1_000_000, vocabulary_size=66, plan=Plan(seconds=120), rate=MACHINE)


def for_time(seconds: float, task: Task = TEXT, **changes: object) -> Task:
    """The task with another time."""
    return dataclasses.replace(
        task,
        plan=Plan(seconds=seconds),
        seconds=seconds,
        **changes,  # type: ignore[arg-type]
    )


def weights(config: Config, task: Task) -> int:
    """What a network costs, which grows with its weights."""
    return operations_per_character(config, task.vocabulary_size)


def test_more_time_never_gives_a_smaller_network_nor_less_dropout() -> None:
    configs = [advise(for_time(seconds), {}) for seconds in (10, 60, 120, 600, 3600, 36_000)]
    sizes = [weights(config, TEXT) for config in configs]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    assert configs[2].model.dropout < configs[4].model.dropout


def test_a_faster_machine_gets_what_more_time_gets() -> None:
    assert best_size(for_time(120, rate=5 * MACHINE), {}) == best_size(
        for_time(576, rate=MACHINE), {}
    )


@pytest.mark.parametrize("characters", [20_000, 300_000, 1_000_000, 12_000_000, 10**9])
@pytest.mark.parametrize("seconds", [1, 120, 600, 3600])
@pytest.mark.parametrize("vocabulary_size", [3, 66, 257, 6000])
def test_there_is_a_recipe_for_every_text_and_time(
    characters: int, seconds: float, vocabulary_size: int
) -> None:
    task = for_time(seconds, characters=characters, vocabulary_size=vocabulary_size)
    config = advise(task, {})
    assert task.passes(config) > 0
    assert 0 <= config.model.dropout <= DROPOUT[-1][1]


def test_a_text_that_is_read_less_than_thrice_has_no_dropout() -> None:
    assert advise(for_time(120, characters=10**8), {}).model.dropout == 0
    assert advise(for_time(3600, characters=100_000), {}).model.dropout >= 0.3


def test_a_long_text_gets_a_larger_network_only_once_that_has_read_enough_of_it() -> None:
    long = {"characters": 20_000_000}
    assert best_size(for_time(600), {}) == "medium"
    assert best_size(for_time(600, **long), {}) == "small"
    assert best_size(for_time(60_000, **long), {}) != "small"


def test_the_learning_rate_falls_with_the_units_whoever_named_them() -> None:
    rates = [
        advise(for_time(60), {"units": units, "layers": 1}).training.learning_rate
        for units in (8, 128, 384, 768, 1280, 20_000)
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[:4] == [RATE, RATE, RATE, 0.008]
    assert 0 < rates[-1] < 0.005
    assert advise(for_time(60), {"learning_rate": 0.5}).training.learning_rate == 0.5
    assert advise(for_time(60), {"cell": "rnn"}).training.learning_rate == 0.003


@pytest.mark.parametrize("points", [DROPOUT, RECURRENT_DROPOUT, WEIGHT_DECAY])
def test_what_holds_back_rises_with_the_passes_without_a_jump(
    points: tuple[tuple[float, float]],
) -> None:
    rates = [between(points, passes / 10) for passes in range(1, 1000)]
    assert (rates[0], rates[-1]) == (points[0][1], points[-1][1])
    assert rates == sorted(rates)
    assert all(after - before < 0.02 for before, after in itertools.pairwise(rates))


def test_recurrent_weights_are_dropped_where_there_are_many_for_a_text_read_often() -> None:
    small, large = (
        advise(for_time(120, characters=characters), {"units": 384, "layers": 1})
        for characters in (100_000, 10_000_000)
    )
    assert small.model.recurrent_dropout > 0.2
    assert large.model.recurrent_dropout == 0


@pytest.mark.parametrize("given", [{"units": 40}, {"cell": "gru"}, {"dropout": 0.7}])
def test_what_the_user_names_is_kept_and_the_rest_is_still_chosen(given: dict[str, object]) -> None:
    config, advised = advise(for_time(600), given), advise(for_time(600), {})
    for name, value in given.items():
        assert getattr(config.model, name) == value
    assert config.training.beta_1 == advised.training.beta_1 != Config().training.beta_1
    assert config.training.schedule == advised.training.schedule != Config().training.schedule
    if "cell" not in given:
        assert config.model.cell == advised.model.cell


def test_dropout_follows_from_the_passes_of_the_network_that_the_user_names() -> None:
    """A smaller one reads the text more often in the same time."""
    small, large = (advise(for_time(600), {"units": units, "layers": 1}) for units in (64, 1024))
    assert small.model.dropout > large.model.dropout


@pytest.mark.parametrize("cell", CELLS.present)
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"units": (48, 32)},
        {"layers": 3},
        {"tie_embeddings": True},
        {"recurrent_dropout": 0.0},
        {"tie_embeddings": True, "skip_connections": True},
        {"skip_connections": False},
    ],
    ids=str,
)
def test_the_advice_suits_every_cell_and_never_contradicts(
    cell: str, given: dict[str, object]
) -> None:
    config = advise(for_time(3600), {"cell": cell, **given})
    assert config.model.cell == cell
    for name, value in CELLS[cell].defaults.items():
        if name not in ("layers", "units", "residual"):
            settings = {**vars(config.model), **vars(config.training)}
            assert name in given or settings[name] == value


def test_sizes_have_names_from_small_to_large() -> None:
    assert tuple(SIZES) == NAMES
    costs = [weights(advise(for_time(600), {}, size), TEXT) for size in NAMES]
    assert costs == sorted(costs)
    assert len(set(costs)) == len(costs)


@pytest.mark.parametrize("size", NAMES)
@pytest.mark.parametrize("plan", [Plan(epochs=4), Plan(steps=900), Plan(seconds=60)])
def test_a_size_goes_with_every_plan(size: str, plan: Plan) -> None:
    task = dataclasses.replace(TEXT, plan=plan, seconds=plan.seconds)
    config = advise(task, {}, size)
    assert config.model.units == SIZES[size]["units"]
    assert advise(task, {"units": 99}, size).model.units == 99


def test_a_plan_by_epochs_tells_its_passes_itself() -> None:
    task = dataclasses.replace(TEXT, plan=Plan(epochs=7.5))
    assert task.passes(Config()) == 7.5
    steps = dataclasses.replace(TEXT, plan=Plan(steps=1000))
    assert steps.passes(Config()) == pytest.approx(1000 * 16 * 64 / 1_000_000)


def test_a_time_that_ends_with_the_passes_gets_what_so_many_epochs_get() -> None:
    """Without a plan, a small text is read fifty times: the time left over teaches nothing."""
    given = {"units": 384, "layers": 1}
    small = dataclasses.replace(TEXT, characters=50_000)
    timed = for_time(300, small, most_passes=5.0)
    by_epochs = dataclasses.replace(small, plan=Plan(epochs=5))
    assert timed.passes(Config()) == 5 < for_time(300, small).passes(Config())
    assert advise(timed, given) == advise(by_epochs, given) != advise(for_time(300, small), given)


def test_the_cost_counts_the_products_of_each_character() -> None:
    config = Config.of(units=10, embedding=4)
    recurrent, output, kernel = 10 * 40, 10 * 66, 4 * 40
    elementwise = 10 * UNIT_OPERATIONS
    assert recurrent_weights(config) == recurrent
    assert recurrent_weights(Config.of(cell="minlstm")) == 0
    assert operations_per_character(config, 66) == 6 * (recurrent + output) + elementwise
    many = 6 * (recurrent + 10 * 300 + kernel) + elementwise
    assert operations_per_character(config, 300) == many
    one_hot = Config.of(units=10, embedding=0)
    assert operations_per_character(one_hot, 300) == many - 6 * kernel
    assert characters_per_second(config, 66, 2 * MACHINE) == 2 * characters_per_second(
        config, 66, MACHINE
    )


@pytest.mark.parametrize(("line", "windows"), [(0, 8), (9, 2), (34, 2), (102, 3), (245, 8)])
def test_stretches_of_a_list_have_two_lines_or_more(line: float, windows: int) -> None:
    task = dataclasses.replace(TEXT, plan=Plan(steps=300), line=line)
    assert advise(task, {}).training.stretch == windows
    assert advise(task, {"stretch": 5}).training.stretch == 5
