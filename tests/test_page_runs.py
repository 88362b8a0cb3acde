"""The page's section "The run": what it is told, and what a person sees of it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from browsing import Opened, complaints, model_of, open_page
from commands import charrnn, untrained
from selenium.webdriver.support.ui import WebDriverWait
from test_page import CONTRAST, KINDS

from charrnn.models.language_model import LanguageModel
from charrnn.page.document import build_page
from charrnn.page.run_tab import MOST_EVALUATIONS, MOST_SAMPLES, describe_runs, thinned
from charrnn.runs import history
from charrnn.runs.history import Sample
from charrnn.runs.run import Run

HOSTILE = "</script><img src=x onerror=alert(1)>"
FALLING = (2.5, 1.75, 1.5)
RISING = (2.5, 1.5, 1.75)
ENTER = "\ue007"
ARROWS = {"left": "\ue012", "right": "\ue014", "home": "\ue011", "end": "\ue010"}


def record(run: Run, losses: tuple[float, ...], text: str = "sample") -> None:
    """Give a run a history with these validation losses, and samples."""
    for number, loss in enumerate(losses, 1):
        row: dict[str, float | None] = dict.fromkeys(history.COLUMNS, 0.5)
        row |= {"step": 10 * number, "epoch": number / 4, "elapsed_seconds": 60.0 * number}
        row |= {"train_loss_nats": 2 / number, "val_loss_nats": loss}
        history.write_row(run.history, row | {"learning_rate": 0.01 / number})
        sample = Sample(10 * number, number / 4, f"{text} {number}")
        history.write_sample(run.samples, sample)


def trained(
    name: str = "fox", losses: tuple[float, ...] = FALLING, text: str = "sample"
) -> LanguageModel:
    """A model whose run has a history and samples."""
    model = model_of(name)
    record(Run(model.path.parent), losses, text)
    return model


# -- What the page is told ----------------------------------------------------------------


def test_a_run_is_told_with_its_network_curves_and_samples() -> None:
    (told,) = describe_runs([trained().path])
    assert told["name"] == "fox"
    assert told["network"].startswith("1 layer of 24 lstm cells, ")  # type: ignore[attr-defined]
    curves: Any = told["curves"]
    assert curves["val_loss_nats"] == [2.5, 1.75, 1.5]
    assert curves["elapsed_seconds"] == [60, 120, 180]
    assert told["samples"] == [
        {"step": 10 * n, "epoch": n / 4, "text": f"sample {n}"} for n in (1, 2, 3)
    ]
    assert told["advice"] is None
    json.dumps(told, allow_nan=False)


def test_of_the_text_name_size_and_fingerprint_are_told_and_no_more() -> None:
    run = untrained()
    (told,) = describe_runs([run.best])
    text: Any = told["text"]
    assert (text["name"], text["characters"]) == ("fox.txt", 1800)
    assert len(text["fingerprint"]) == 64
    assert "quick brown fox" not in json.dumps(told)
    assert str(Path.cwd()) not in json.dumps(told)


def test_runs_of_one_name_are_told_apart_without_a_machine_s_path() -> None:
    run = untrained()
    run.folder.parent.rename("other")
    again = untrained()
    told = describe_runs([again.best, Path("other/fox/best.safetensors")])
    assert [each["name"] for each in told] == ["checkpoints/fox", "other/fox"]


def test_a_run_without_history_samples_or_text_is_told_too() -> None:
    (told,) = describe_runs([model_of().path])
    assert told["curves"] is told["advice"] is None
    assert told["samples"] == []
    assert told["text"] == dict.fromkeys(["name", "characters", "fingerprint"])


def test_a_damaged_history_and_samples_tell_what_can_be_read() -> None:
    run = Run(trained().path.parent)
    for path in (run.history, run.samples):
        path.write_bytes(path.read_bytes() + b"\xffother\n")
    (told,) = describe_runs([run.best])
    assert told["curves"]["step"] == [10, 20, 30]  # type: ignore[index]
    assert len(told["samples"]) == 3  # type: ignore[arg-type]


def test_the_warning_is_told_where_the_network_learns_by_heart() -> None:
    (told,) = describe_runs([trained(losses=RISING).path])
    assert told["advice"] == (
        "the validation loss has risen from 1.500, at step 20, to 1.750, while the training loss"
        " falls: the network learns this text by heart."
    )


def test_long_histories_are_thinned_and_keep_their_ends_and_the_lowest_loss() -> None:
    count = MOST_EVALUATIONS + 501
    lowest = 777
    model = model_of()
    run = Run(model.path.parent)
    rows = [[n, n / 9, 2, 1 if n == lowest else 3, 3, 0.1, 0.1, 0, 0, n] for n in range(count)]
    run.history.write_bytes(history.encode_rows([history.COLUMNS, *rows]))
    run.samples.unlink(missing_ok=True)
    for number in range(MOST_SAMPLES + 1):
        history.write_sample(run.samples, Sample(number, number / 9, "a"))
    (told,) = describe_runs([run.best])
    curves: Any = told["curves"]
    assert (curves["step"][0], curves["step"][-1]) == (0, count - 1)
    assert min(curves["val_loss_nats"]) == 1
    assert len(curves["step"]) <= MOST_EVALUATIONS + 1
    assert len(told["samples"]) == MOST_SAMPLES  # type: ignore[arg-type]
    assert told["samples_kept"] == MOST_SAMPLES + 1


@pytest.mark.parametrize(("count", "most"), [(0, 5), (5, 5), (6, 5), (1000, 7)])
def test_thinning_keeps_order_and_ends(count: int, most: int) -> None:
    kept = thinned(range(count), most)
    assert kept == sorted(set(kept))
    assert len(kept) == min(count, most)
    assert not count or (kept[0], kept[-1]) == (0, count - 1)


# -- What a person sees -------------------------------------------------------------------


def opened(browser: Any, *models: LanguageModel) -> Opened:
    """The page of the first model, compared with the others, with its section drawn."""
    page = open_page(browser, models[0], others=models[1:])
    page.browser.execute_async_script("""
        const filled = () => document.querySelector("#run h2");
        const look = () => (filled() ? arguments[0]() : setTimeout(look));
        look();
    """)
    return page


def lines(page: Opened, chart: int = 0) -> list[str]:
    """The classes of the curves that a chart shows."""
    script = """
        const chart = document.querySelectorAll(".chart")[arguments[0]];
        const drawn = chart.querySelectorAll("svg path.series:not(.marker)");
        return Array.from(drawn, (each) => each.getAttribute("class"));
    """
    found: list[str] = page.run(script, chart)
    return found


def readout(page: Opened) -> str:
    """What is told of the place that is chosen in the chart of losses."""
    text: str = page.run("return document.querySelector('.readout').textContent")
    return text


def focus(page: Opened, *keys: str) -> None:
    """Go to the chart of losses by keyboard, and press keys."""
    frame = page.browser.find_element("css selector", ".frame")
    page.run("arguments[0].focus()", frame)
    for key in keys:
        frame.send_keys(ARROWS[key])


def test_the_section_shows_facts_curves_and_the_last_sample(browser: Any) -> None:
    page = opened(browser, trained(losses=RISING))
    section = page.find("run").text
    for words in ("The run", "1 layer of 24 lstm cells", "Over-fitting: the validation loss has"):
        assert words in section
    assert lines(page) == ["series series-2 dashed", "series series-1"]
    assert lines(page, 1) == lines(page, 2) == ["series series-1"]
    assert page.browser.find_element("css selector", ".sample").text == "sample 3"
    assert page.browser.find_element("css selector", "nav a[href='#run']").is_displayed()
    assert complaints(browser) == []


def test_the_slider_goes_through_the_samples_by_keyboard(browser: Any) -> None:
    page = opened(browser, trained())
    slider = page.find("sample")
    assert slider.get_attribute("aria-valuetext") == "30 steps, 0.75 passes over the text"
    slider.send_keys(ARROWS["left"])
    assert page.browser.find_element("css selector", ".sample").text == "sample 2"
    slider.send_keys(ARROWS["home"])
    assert page.browser.find_element("css selector", ".sample").text == "sample 1"
    assert slider.get_attribute("aria-valuetext") == "10 steps, 0.25 passes over the text"


def test_the_arrow_keys_read_the_values_of_the_curves(browser: Any) -> None:
    page = opened(browser, trained())
    bits = f"{1.5 / math.log(2):.2f}"
    focus(page, "left")
    assert readout(page) == (
        f"3 minutes: training 0.667 nats (0.96 bits); validation 1.500 nats ({bits} bits)"
    )
    focus(page, "left")
    assert readout(page).startswith("2 minutes: training 1.000")
    focus(page, "home")
    assert readout(page).startswith("1 minute: training 2.000")
    assert len(page.browser.find_elements("css selector", "circle.ring")) == 2


def test_the_switch_draws_against_passes_over_the_text(browser: Any) -> None:
    page = opened(browser, trained())
    page.browser.find_element("css selector", "input[value='time']").send_keys(ARROWS["right"])
    found = "document.querySelectorAll('svg .label')"
    labels = page.run(f"return Array.from({found}, (each) => each.textContent)")
    assert labels == ["passes over the text"] * 3
    focus(page, "end")
    assert readout(page).startswith("0.75 passes: ")


def test_the_numbers_stand_in_a_table_for_whoever_wants_them(browser: Any) -> None:
    page = opened(browser, trained())
    page.browser.find_element("css selector", ".chart details summary").send_keys(ENTER)
    page.browser.execute_async_script("setTimeout(arguments[0], 0)")
    rows = page.run(
        "return [...document.querySelectorAll('.chart table tr')].map((each) => each.textContent)"
    )
    assert len(rows) == 1 + len(FALLING)
    assert "2.500 nats" in rows[1]
    label = page.browser.find_element("css selector", ".frame").get_attribute("aria-label")
    assert "validation: from 2.500 nats (3.61 bits) to 1.500 nats" in label


def test_several_runs_differ_in_colour_and_marker_and_are_told_apart_by_name(browser: Any) -> None:
    page = opened(browser, *[trained(name) for name in ("fox", "dog", "cat", "hen", "cow")])
    assert page.browser.find_element("css selector", "#run h2").text == "The runs"
    drawn = page.run("""
        return [...document.querySelectorAll(".legend li")].map((each) => [each.textContent,
            ...[...each.querySelectorAll("path")].map((path) => path.getAttribute("d")).slice(1)]);
    """)
    names = [name for name, *_ in drawn]
    assert names == ["fox", "dog", "cat", "hen", "cow", "training loss (dashed)"]
    assert len({marker for _, *markers in drawn for marker in markers}) == 5
    assert len(lines(page)) == 10
    cells = page.run("return [...document.querySelectorAll('tbody tr')].map((e) => e.textContent)")
    assert [cell[:3] for cell in cells] == ["fox", "dog", "cat", "hen", "cow"]
    page.run("document.getElementById('sample-run').selectedIndex = 1")
    assert complaints(browser) == []


def test_of_several_runs_one_may_have_no_history(browser: Any) -> None:
    page = opened(browser, model_of("none"), trained())
    assert lines(page) == ["series series-2 dashed", "series series-2"]
    assert complaints(browser) == []


def test_a_run_that_was_never_evaluated_says_so(browser: Any) -> None:
    page = opened(browser, model_of())
    assert "There are no curves: nothing has been evaluated yet." in page.find("run").text
    assert page.browser.find_elements("css selector", ".chart") == []
    assert complaints(browser) == []


def test_one_evaluation_alone_is_drawn(browser: Any) -> None:
    page = opened(browser, trained(losses=(1.5,)))
    assert len(page.browser.find_elements("css selector", ".chart svg path.marker")) == 4
    assert not page.find("sample").is_enabled()
    assert complaints(browser) == []


def test_names_and_samples_are_shown_and_never_run(browser: Any) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    page = opened(browser, trained(hostile, text=HOSTILE), trained("fox", text=HOSTILE))
    assert page.browser.find_elements("tag name", "img") == []
    assert f"{HOSTILE} 3" in page.run("return document.querySelector('.sample').textContent")
    assert hostile in page.run("return document.querySelector('.legend').textContent")
    assert complaints(browser) == []


def test_the_section_fits_a_phone(browser: Any) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page = opened(browser, trained("a" * 120), trained("fox"))
        assert page.run("return document.documentElement.scrollWidth") <= 390
        found = "document.querySelectorAll('.chart svg')"
        widths = page.run(f"return Array.from({found}, (each) => each.clientWidth)")
        assert all(300 < width <= 390 for width in widths)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_of_several_runs_each_writes_in_its_turn(browser: Any) -> None:
    """Each with its own characters and weights; the prompt stays."""
    models = [model_of(), model_of("hen", "abc \n", layers=1), model_of("owl", "xyz\n", units=9)]
    page = opened(browser, *models)
    assert page.browser.title == "fox, hen, owl"
    for place in (2, 1, 0):
        page.choose(prompt="a b")
        page.run(
            """
            const select = document.getElementById("model");
            charrnn.before = true;
            select.value = arguments[0];
            select.dispatchEvent(new Event("change"));
            """,
            place,
        )
        WebDriverWait(browser, 20).until(
            lambda it: it.execute_script("return charrnn.desk && !charrnn.before")
        )
        page.wait()
        assert page.find("prompt").get_property("value") == "a b"
        written = page.write(prompt="a b", length=60, seed=3)
        assert written == models[place].generate("a b", length=60, seed=3, temperature=0.8)


def test_a_page_says_which_seeds_are_valid(browser: Any) -> None:
    page = opened(browser, model_of())
    for seed in ("fox", "-1", str(2**64)):
        page.choose(seed=seed)
        page.find("write-button").click()
        told = page.find("seed").get_property("validationMessage")
        assert told.startswith(f"A seed is a whole number from 0 to {2**64 - 1}")


def test_a_run_evaluated_once_has_axes_from_zero(browser: Any) -> None:
    page = opened(browser, trained(losses=FALLING[:1]))
    ticks = page.run(
        "return Array.from(document.querySelectorAll('.chart .tick'), (t) => t.textContent)"
    )
    assert not [each for each in ticks if each.startswith("-")]
    assert sum(float(each) == 0 for each in ticks) == 6


@pytest.mark.parametrize("kind", KINDS)
def test_the_section_can_be_read_in_light_and_dark(browser: Any, kind: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": kind}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        page = opened(browser, *[trained(name, RISING) for name in ("a", "b", "c", "d")])
        texts = dict(page.run(CONTRAST, "#run :is(h2, h3, p, label, legend, li, th, td, summary)"))
        curves = [ratio for _, ratio in page.run(CONTRAST, "#run svg path.series")]
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert len(texts) > 20
    assert {name: ratio for name, ratio in texts.items() if ratio < 4.5} == {}
    assert min(curves) >= 3


def test_the_command_puts_all_runs_into_the_page() -> None:
    untrained()
    trained("dog")
    assert charrnn("page", "fox", "dog").status == 0
    page = Path("fox.html").read_text(encoding="utf-8")
    start = page.index('id="data">') + len('id="data">')
    data = json.loads(page[start : page.index("</script>", start)])
    assert [run["name"] for run in data["runs"]] == ["fox", "dog"]


def test_ticks_are_round_numbers(browser: Any) -> None:
    page = Opened(browser, written(build_page(model_of())))
    assert page.run("return charrnn.charts.ticks(0, 10, 5).map((each) => each.label)") == [
        "0", "2", "4", "6", "8", "10",
    ]  # fmt: skip
    assert page.run("return charrnn.charts.ticks(1.31, 1.74, 4).map((each) => each.label)") == [
        "1.4", "1.6",
    ]  # fmt: skip


def written(page: bytes) -> Path:
    """A page as a file."""
    Path("page.html").write_bytes(page)
    return Path("page.html")
