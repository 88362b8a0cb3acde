"""The page as a file, and as a person uses it."""

import json
import os
import re
from html import unescape
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from browsing import blocked, complaints, model_of, open_page
from commands import ROOT, charrnn, tree, untrained

from charrnn.errors import CheckpointError, ConfigError
from charrnn.page.document import SCRIPTS, as_json, build_page, pack

HOSTILE = "</script><img src=x onerror=alert(1)>"
KINDS = ("light", "dark")
BUTTONS = ("go-on", "again", "undo", "copy", "save")
CONTRAST = """
const luminance = (color) => {
  const channels = color.match(/[\\d.]+/g).slice(0, 3).map((each) => Number(each) / 255);
  const [r, g, b] = channels.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  const color = getComputedStyle(element).backgroundColor;
  const clear = color === "rgba(0, 0, 0, 0)" && element.parentElement;
  return clear ? behind(element.parentElement) : color;
};
return [...document.querySelectorAll(arguments[0])].map((element) => {
  const [ink, paper] = [getComputedStyle(element).color, behind(element)].map(luminance);
  const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  return [element.id || element.textContent, ratio];
});
"""
READ = "h1, p, label, output, button:enabled, textarea, input, summary, .sheet, .prompt"
DRAWN = "[type=range], [type=checkbox]"


@pytest.fixture
def page(browser):
    """A page that has written its first text."""
    return open_page(browser, model_of())


def source(**options) -> str:
    """A page as text."""
    return build_page(model_of(), **options).decode()


def element(page: str, name: str) -> str:
    """What stands in the script element of this id."""
    (text,) = re.findall(rf'<script type="[^"]+" id="{name}">(.*?)</script>', page, re.DOTALL)
    return text


def test_the_command_makes_a_file_named_like_the_run():
    untrained()
    outcome = charrnn("page", "--precision", 32)
    size = Path("fox.html").stat().st_size
    assert outcome.err == f"wrote fox.html: {size / 1e6:.1f} MB, weights of 32 bits\n"
    assert (outcome.status, outcome.out) == (0, "")
    assert charrnn("page", "fox", "-o", "other.html").status == 0
    assert Path("other.html").stat().st_size < size


def test_no_output_replaces_a_file_of_a_run():
    run = untrained()
    before = tree(Path())
    for path in (run.best, run.folder / "page.html"):
        outcome = charrnn("page", "-o", path)
        assert outcome.status == 1
        assert str(path) in outcome.err
    assert charrnn("page", "-o", "nowhere/page.html").status == 1
    assert charrnn("page", "fox", "no-such-run").status == 1
    assert tree(Path()) == before


def test_a_text_to_look_into_is_in_the_page():
    untrained()
    Path("text.txt").write_bytes("a </script> é\r\n".encode())
    assert charrnn("page", "--text", "text.txt").status == 0
    data = json.loads(element(Path("fox.html").read_text(encoding="utf-8"), "data"))
    assert data["text"] == "a </script> é\n"
    Path("text.txt").write_bytes(b"\xff")
    outcome = charrnn("page", "--text", "text.txt")
    assert outcome.status == 2
    assert "text.txt: byte 0xff at offset 0 is not utf-8" in outcome.err


def test_the_page_tells_what_it_is_made_of():
    untrained()
    assert charrnn("page").status == 0
    page = unescape(Path("fox.html").read_text(encoding="utf-8"))
    assert "has learnt fox.txt (1,800 characters)" in page
    assert "weights rounded to 16 bits" in page
    model = model_of("alone")
    assert "has learnt a text one" in build_page(model).decode()
    assert "--precision" not in build_page(model, precision=32).decode()


def test_weights_take_two_bytes_or_four():
    weights = {"a": np.array([[1.0, -2.5]], np.float32), "b": np.array([65504.0], np.float32)}
    assert pack(weights, "ba", 16) == "/3sAPADB"
    assert pack(weights, "ab", 32) == "AACAPwAAIMAA4H9H"
    with pytest.raises(ConfigError, match="too large for 16 bits; give `precision 32`"):
        pack({"a": np.array([65520.0], np.float32)}, "a", 16)
    with pytest.raises(ConfigError, match="must be 16 or 32"):
        pack(weights, "ab", 8)


def test_weights_that_are_no_numbers_get_no_other_precision():
    with pytest.raises(CheckpointError, match="not finite"):
        pack({"w": np.array([np.nan], np.float32)}, ["w"], 16)


def test_names_that_are_not_utf_8_are_no_harm():
    name = os.fsdecode(b"caf\xe9")
    untrained(ROOT / name)
    assert charrnn("page", name, "--title", name, "-o", "a.html").status == 0
    assert "<title>caf?" in Path("a.html").read_text(encoding="utf-8")


def test_a_page_is_little_more_than_its_weights():
    model = model_of(units=200)
    beside = len(build_page(model)) - 2.7 * model.checkpoint.parameters
    assert beside < 100_000


def test_every_script_is_in_the_page_and_leaves_its_element_closed():
    names = {path.name for path in files("charrnn.page").joinpath("js").iterdir()}
    assert names == {f"{name}.js" for name in SCRIPTS}
    for name in names:
        script = files("charrnn.page").joinpath("js", name).read_text(encoding="utf-8")
        assert not re.search("</?script|<!--", script, re.IGNORECASE), name


def test_the_page_names_no_address():
    assert re.findall(r"\b(?:https?:|//\w+\.\w|src=|url\()", source()) == []


def test_json_can_stand_in_a_script_element():
    data = [HOSTILE, "<!--", "\ud800", "é\u2028\x00\r"]
    text = as_json(data)
    assert "<" not in text
    assert json.loads(text) == data
    assert "é" in text
    text.encode()


def test_names_and_texts_are_shown_and_never_run(browser):
    model = model_of("<img src=x onerror=alert(1)>", f"\n{HOSTILE}$&")
    page = open_page(browser, model, name=HOSTILE, text=HOSTILE)
    assert page.browser.title == HOSTILE
    assert page.browser.find_element("tag name", "h1").text == HOSTILE
    page.write(prompt=HOSTILE, length=300, seed=1)
    assert page.shown.startswith(HOSTILE)
    assert page.browser.find_elements("tag name", "img") == []
    assert page.run("return charrnn.data.text") == HOSTILE


def test_the_policy_lets_nothing_else_run_and_nothing_out(browser):
    page = open_page(browser, model_of())
    page.run("""
        globalThis.ran = false;
        const script = document.createElement("script");
        script.textContent = "globalThis.ran = true";
        document.body.append(script);
        const image = document.createElement("img");
        image.src = "https://example.org/x.png";
        document.body.append(image);
        document.body.insertAdjacentHTML("beforeend", "<p style='color: red' id='styled'>x</p>");
    """)
    refused = page.run("return fetch('https://example.org/').then(() => false, () => true)")
    assert refused
    assert page.run("return globalThis.ran") is False
    color = page.run("return getComputedStyle(document.getElementById('styled')).color")
    assert color != "rgb(255, 0, 0)"
    told = complaints(browser)
    assert len(told) >= 4
    assert all("Content Security Policy" in each or "Failed to fetch" in each for each in told)
    assert blocked(browser) == {"https://example.org/x.png"}


def test_a_page_writes_as_soon_as_it_is_opened(page):
    assert len(page.shown) == 1000
    assert re.fullmatch(r"1,000 characters, [\d,]+ a second · seed \d+", page.find("status").text)


def test_writing_again_without_a_seed_gives_another_text(page):
    first = page.write(length=200)
    assert page.write(length=200) != first
    with_seed = page.write(length=200, seed=5)
    assert page.write(length=200, seed=5) == with_seed
    page.press("again")
    assert page.shown != with_seed
    seed = page.run("return document.getElementById('seed').value")
    assert seed != "5"
    assert page.write(length=200, seed=seed) == page.run("return charrnn.desk.writer.text")


def test_going_on_is_writing_more_from_the_start(page):
    both = page.write(prompt="the ", length=400, seed=9)
    first = page.write(prompt="the ", length=150, seed=9)
    page.run("document.getElementById('length').value = 250")
    page.press("go-on")
    assert page.shown == f"the {both}"
    assert both.startswith(first)


def test_a_seed_that_was_not_typed_stays_when_the_text_goes_on(page):
    first = page.write(length=100)
    seed = page.find("status").text.rpartition(" ")[2]
    page.press("go-on")
    assert page.find("status").text.endswith(f"seed {seed}")
    assert page.write(length=200, seed=seed) == page.write(length=200, seed=seed)
    assert page.shown.startswith(first)


def test_what_ended_a_text_belongs_to_it_when_it_goes_on(page):
    whole = page.write(length=600, seed=2, temperature=1)
    stop = whole[100:102]
    short = page.write(length=600, seed=2, temperature=1, stop=stop)
    assert short == whole[: whole.index(stop)]
    page.run("document.getElementById('stop').value = ''")
    page.press("go-on")
    assert page.shown == whole[: len(short) + len(stop)] + page.shown[len(short) + len(stop) :]
    assert page.shown[: len(whole)] == whole


def test_undo_goes_back_text_by_text_and_the_text_goes_on_from_there(page):
    opened = page.shown
    first = page.write(prompt="a", length=100, seed=1)
    page.press("go-on")
    longer = page.shown
    page.write(length=50, seed=2)
    page.press("undo")
    assert page.shown == longer
    page.press("undo")
    assert page.shown == f"a{first}"
    page.choose(length=100, seed=1)
    page.press("go-on")
    assert page.shown == longer
    page.press("undo")
    page.press("undo")
    assert page.shown == opened
    assert not page.find("undo").is_enabled()


def test_escape_stops_and_the_text_goes_on(page):
    page.choose(length=1000000, seed=1, temperature=1)
    page.find("prompt").send_keys("a")
    page.find("prompt").send_keys("\ue009\ue007")  # Ctrl, Enter
    while page.run("return charrnn.desk.writer.position") < 100:
        assert page.find("write-button").text == "Stop"
    page.find("text").send_keys("\ue00c")  # Escape
    page.wait()
    stopped = page.shown
    assert 100 < len(stopped) < 1000000
    page.run("document.getElementById('length').value = 100")
    page.press("go-on")
    longer = page.shown
    page.write(prompt="a", length=len(stopped) + 99, seed=1, temperature=1)
    assert page.shown == longer


def test_the_text_appears_while_it_is_written_and_others_are_told(page):
    page.run("""
        globalThis.told = [];
        document.addEventListener("charrnn:text", (event) => told.push(event.detail));
    """)
    page.choose(length=1000000, prompt="the ", seed=1)
    page.find("write-button").click()
    lengths = [page.run("return document.getElementById('text').textContent.length")]
    while len(set(lengths)) < 4:
        lengths.append(page.run("return document.getElementById('text').textContent.length"))
    assert lengths == sorted(lengths)
    page.press("write-button")
    text, ids, same = page.run("""
        const { text, ids } = told.at(-1);
        return [text, Array.from(ids), charrnn.vocabulary.encode(text).join() === ids.join()];
    """)
    assert text == page.shown
    assert len(ids) == len(text)
    assert same


def test_copy_and_save_give_the_whole_text(page, tmp_path):
    folder = str(tmp_path)
    page.browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": folder}
    )
    page.write(prompt="the é", length=100, seed=1)
    page.run(
        "globalThis.copied = null; navigator.clipboard.writeText = async (text) => (copied = text)"
    )
    page.press("copy")
    assert page.run("return copied") == page.shown
    page.press("save")
    saved = Path(folder) / "fox.txt"
    for _ in range(10_000):
        if saved.exists():
            break
        page.wait()
    assert saved.read_text(encoding="utf-8") == page.shown


def test_what_the_model_does_not_know_is_said(page):
    page.choose()
    page.find("prompt").send_keys("Über")
    assert page.find("missing").text == "The model has never seen “Ü”."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("length", "0"),
        ("length", ""),
        ("seed", "-1"),
        ("seed", "18446744073709551616"),
        ("top_p", "0"),
        ("min_p", "2"),
        ("repetition_penalty", "0"),
        ("repetition_window", "0"),
        ("top_k", "1.5"),
    ],
)
def test_impossible_settings_are_refused(page, name, value):
    before = page.shown
    page.choose(**{name: value})
    page.press("write-button")
    assert page.shown == before
    assert page.run("return document.querySelector('input:invalid').id") == name


def test_every_control_has_a_name_and_is_reached_by_the_keyboard(page):
    page.run("document.querySelector('details').open = true")
    controls = page.browser.find_elements(
        "css selector", "#write :is(textarea, input, button, summary)"
    )
    assert all(each.accessible_name for each in controls)
    reached = set()
    for _ in range(40):
        page.browser.switch_to.active_element.send_keys("\ue004")  # Tab
        reached.add(page.browser.switch_to.active_element.get_attribute("id"))
    enabled = {each.get_attribute("id") for each in controls if each.is_enabled()}
    assert enabled <= reached | {""}
    assert "text" in reached


@pytest.fixture
def emulate(browser):
    """Have the browser behave as with another screen; undone at the end."""
    yield browser.execute_cdp_cmd
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("kind", KINDS)
def test_everything_can_be_read(page, emulate, kind):
    features = [{"name": "prefers-color-scheme", "value": kind}]
    emulate("Emulation.setEmulatedMedia", {"features": features})
    page.write(prompt="the ", length=50)
    page.run("document.querySelector('details').open = true")
    ratios = dict(page.run(CONTRAST, f":is({READ}):not({DRAWN})"))
    assert len(ratios) > 20
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}


def test_nothing_is_wider_than_a_phone(page, emulate):
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    emulate("Emulation.setDeviceMetricsOverride", phone)
    page.run("document.querySelector('details').open = true")
    page.write(prompt="a" * 300, length=50)
    widths = page.run("""
        return [...document.querySelectorAll("body *")].filter((each) => each.offsetParent)
            .map((each) => each.getBoundingClientRect()).map((box) => [box.left, box.right]);
    """)
    assert min(left for left, _ in widths) >= 0
    assert max(right for _, right in widths) <= 390


def test_the_text_alone_is_printed(page, emulate):
    emulate("Emulation.setEmulatedMedia", {"media": "print"})
    assert page.find("text").is_displayed()
    assert page.find("text").value_of_css_property("max-height") == "none"
    for name in ("controls", *BUTTONS, "status"):
        assert not page.find(name).is_displayed()


def test_text_from_right_to_left_stands_on_the_right(browser):
    page = open_page(browser, model_of("hebrew", "\nאבגד "))
    page.write(prompt="אב", length=50, seed=1)
    box, start = page.run("""
        const mark = document.querySelector(".prompt").getBoundingClientRect();
        return [document.getElementById("text").getBoundingClientRect().right, mark.right];
    """)
    assert box - start < 60


@pytest.mark.parametrize("length", [999, 1000, 5000])
def test_a_long_text_in_blocks_is_the_text(browser, length):
    page = open_page(browser, model_of("lines", "\nab"))
    written = page.write(length=length, seed=1, temperature=1)
    assert page.shown == written
    children = "document.getElementById('text').children"
    blocks = page.run(f"return Array.from({children}, (each) => each.textContent)")
    assert all(block.endswith("\n") for block in blocks[:-1])
    assert len(blocks) > length // 1100
