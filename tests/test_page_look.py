"""Looking inside a model in its page agrees with the model, and everybody can do it."""

import json
import time

import numpy as np
import pytest
from browsing import LETTERS, PATIENCE_SECONDS, model_of, open_page
from commands import untrained
from test_inspection import TEXT as FEATURED

from charrnn.models.language_model import load
from charrnn.models.units import read_features
from charrnn.network.recording import record
from charrnn.page.look import look_inside

BITS = 1 / np.log(2)
BYTES = "".join(map(chr, range(256)))
HEBREW = "\n אבגדה"
TEXT = "the quick brown fox,\njumps over the lazy dog!\n" * 3 + "and rests"
CASES = {
    "coupled": {},
    "lstm": {"cell": "lstm", "layers": 2, "residual": True},
    "gru": {"cell": "gru", "layers": 2, "layer_norm": True},
    "minlstm": {"cell": "minlstm", "layers": 2},
    "rnn": {"cell": "rnn", "layers": 1},
    "backward": {"cell": "lstm", "direction": "backward"},
    "bytes": {"characters": BYTES, "byte_level": True},
    "backward bytes": {"characters": BYTES, "byte_level": True, "direction": "backward"},
}
TEXTS = {name: "é 你好! 🙂\nab" * 5 if "bytes" in name else f"{TEXT}é Ü" for name in CASES}
VALUES = """
const { reading } = charrnn.panel;
const numbers = reading.characters.map((_, number) => number);
return {
  surprise: numbers.map((number) => reading.surprise(number)),
  likeliest: numbers.map((number) => reading.likeliest(number)),
  parts: Object.fromEntries(Object.keys(reading.parts).map((name) =>
    [name, numbers.map((number) => Array.from(reading.after(name, number)))])),
};
"""
CONTRAST = """
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const painted = (...colors) => {
  for (const color of colors) {
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
  }
  return Array.from(canvas.getImageData(0, 0, 1, 1).data.slice(0, 3));
};
const luminance = (color) => {
  const [r, g, b] = color.map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const sheet = document.getElementById("characters");
const span = charrnn.panel.characters.spans[0];
return arguments[0].map((name) => {
  span.className = name;
  const style = getComputedStyle(span);
  const paper = painted(getComputedStyle(sheet).backgroundColor, style.backgroundColor);
  const sides = [painted(style.color), paper].map(luminance).sort((a, b) => b - a);
  return [name, (sides[0] + 0.05) / (sides[1] + 0.05)];
});
"""
LEFT, UP, RIGHT, DOWN, TAB, HOME, END = "\ue012\ue013\ue014\ue015\ue004\ue011\ue010"


def look(page, text=None, view="surprise"):
    """Paste a text, or turn to what was just written, and wait until it is read."""
    page.run(
        """
        document.getElementById("look").scrollIntoView();
        const [source, view, text] = arguments;
        document.querySelector(`[name=view][value=${view}]`).click();
        document.querySelector(`[name=source][value=${source}]`).click();
        if (text === null) return;
        const field = document.getElementById("pasted");
        field.value = text;
        field.dispatchEvent(new Event("input", { bubbles: true }));
        """,
        "written" if text is None else "pasted",
        view,
        text,
    )
    await_text(page, page.shown if text is None else text)


def await_text(page, text):
    """Until the panel shows the text, or the part of it that fits."""
    end = time.monotonic() + PATIENCE_SECONDS
    done = """
        const busy = document.getElementById("characters").getAttribute("aria-busy");
        return charrnn.panel.begun === arguments[0] && busy === "false";
    """
    while not page.run(done, text):
        assert time.monotonic() < end, "the text is not read to its end"


def bits_of(model, text):
    """The surprise of each character by `model.score`; at byte level of its bytes together."""
    bits = -model.score(text) * BITS
    lengths = [len(model.vocabulary.from_user(each)) for each in text]
    return np.add.reduceat(bits, np.cumsum([0, *lengths[:-1]]))


def last_rows(model, text):
    """Where the states after each character stand in those of `model.states`."""
    lengths = [len(model.vocabulary.from_user(each)) for each in text]
    ends = np.cumsum(lengths)
    return ends - lengths if model.backward else ends - 1


def by_page(name):
    """`layers.1.h` as the page calls it: `1/h`."""
    _, layer, part = name.split(".")
    return f"{layer}/{part}"


@pytest.mark.parametrize("case", CASES)
def test_what_is_seen_inside_is_what_the_model_computes(browser, case):
    model, text = model_of(**{"units": 8, **CASES[case]}), TEXTS[case]
    page = open_page(browser, model)
    look(page, text)
    seen = page.run(VALUES)
    np.testing.assert_allclose(seen["surprise"], bits_of(model, text), atol=1e-3)
    states, rows = model.states(text), last_rows(model, text)
    gates = record(model.checkpoint.config.model, model.vocabulary.size)["gates"]
    parts = {name for name in states if by_page(name) in seen["parts"]}
    assert {by_page(name) for name in parts} == set(seen["parts"])
    assert set(gates) <= parts
    for name in parts:
        found = np.array(seen["parts"][by_page(name)])
        np.testing.assert_allclose(found, states[name][rows], atol=1e-4)


@pytest.mark.parametrize("case", ["lstm", "backward"])
def test_the_five_likeliest_are_those_of_next(browser, case):
    model = model_of(units=8, **CASES[case])
    page = open_page(browser, model)
    look(page, TEXT)
    for number, guesses in enumerate(page.run(VALUES)["likeliest"][:60]):
        before = TEXT[number + 1 :] if model.backward else TEXT[:number]
        expected = model.next(before, 5)
        assert [model.vocabulary.characters[each["id"]] for each in guesses] == [
            symbol for symbol, _ in expected
        ]
        chances = [each["chance"] for each in guesses]
        assert chances == pytest.approx([chance for _, chance in expected], abs=1e-5)


@pytest.mark.parametrize("case", ["lstm", "backward", "bytes"])
def test_a_text_that_changes_is_read_as_if_it_were_new(browser, case):
    model = model_of(units=8, **CASES[case])
    page = open_page(browser, model)
    for text in (TEXT, TEXT[:40] + "é" + TEXT[41:], f"a{TEXT}", TEXT[:1], "", TEXT, TEXT[:30]):
        look(page, text)
        if text:
            found = page.run(VALUES)["surprise"]
            np.testing.assert_allclose(found, bits_of(model, text), atol=1e-3)
        else:
            assert page.find("summary").text == ""


def test_what_was_just_written_is_read(browser):
    model = model_of(units=8)
    page = open_page(browser, model)
    for settings in ({"prompt": "the ", "length": 300}, {"prompt": "", "length": 50}):
        page.write(**settings)
        look(page)
        shown = page.shown
        bits = bits_of(model, shown)
        np.testing.assert_allclose(page.run(VALUES)["surprise"], bits, atol=1e-3)
        told = f"{len(shown)} characters, {bits.mean():.2f} bits per character"
        assert page.find("summary").text.startswith(told)
    page.press("go-on")
    look(page)
    np.testing.assert_allclose(page.run(VALUES)["surprise"], bits_of(model, page.shown), atol=1e-3)


def test_the_text_that_came_with_the_page_can_be_chosen(browser):
    page = open_page(browser, model_of(units=8), text=TEXT)
    page.run("""
        document.getElementById("look").scrollIntoView();
        document.querySelector("[name=source][value=given]").click();
    """)
    await_text(page, TEXT)
    assert page.find("given-source").is_displayed()
    page = open_page(browser, model_of("other", units=8))
    assert not page.find("given-source").is_displayed()


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_of_a_long_text_a_part_is_read_and_the_reader_is_told(browser, direction):
    page = open_page(browser, model_of(units=2, direction=direction))
    page.run("charrnn.panel.reading.most = 2000")
    text = "ab \n" * 625
    look(page, text)
    end = "first" if direction == "forward" else "last"
    assert f"Only the {end} 2,000 of 2,500 are read" in page.find("summary").text
    assert page.run("return charrnn.panel.characters.spans.length") == 2000


def test_a_large_network_reads_no_more_than_fits_into_memory(browser):
    page = open_page(browser, model_of(units=600, layers=2, cell="lstm"))
    most, width = page.run("const { most, width } = charrnn.panel.reading; return [most, width]")
    assert width == 600 * 2 * (2 + 3)
    assert most == 128 * 2**20 // (4 * width)


def nearest(states, number, count=5, apart=20):
    """Places by the cosine of the state, none next to another."""
    unit = states / np.linalg.norm(states, axis=1, keepdims=True)
    likeness, told = unit @ unit[number], []
    for each in np.argsort(-likeness, kind="stable"):
        if all(abs(each - other) > apart for other in [number, *told]):
            told.append(int(each))
    return told[:count], likeness[told[:count]]


def test_similar_places_are_the_nearest_states_and_not_the_neighbours(browser):
    rng = np.random.default_rng(5)
    text = "".join(rng.choice(list(LETTERS), 400))
    model = model_of(units=8, layers=2, cell="lstm")
    page = open_page(browser, model)
    look(page, text)
    states = model.states(text)["layers.2.h"]
    for number in (0, 200, 399):
        found = page.run(
            "return charrnn.similar.nearest(charrnn.panel.reading, charrnn.panel.card.compared,"
            " arguments[0], 5)",
            number,
        )
        places, likeness = nearest(states, number)
        assert [each["likeness"] for each in found] == pytest.approx(likeness, abs=1e-4)
        assert all(abs(each["number"] - number) > 20 for each in found)
        assert [each["number"] for each in found] == places


def test_a_place_that_is_pressed_is_gone_to(browser):
    page = open_page(browser, model_of(units=8))
    look(page, TEXT)
    page.run("charrnn.panel.characters.go(100)")
    end = time.monotonic() + PATIENCE_SECONDS
    while not page.run("return document.querySelector('.places button') !== null"):
        assert time.monotonic() < end
    page.run("document.querySelector('.places button').click()")
    assert page.run("return charrnn.panel.chosen") not in (None, 100)
    assert page.run("return document.activeElement.number") == page.run(
        "return charrnn.panel.chosen"
    )


def card(page):
    return page.find("character").text


def test_a_character_is_looked_at_by_the_keyboard(browser):
    page = open_page(browser, model_of(units=8))
    look(page, "ab\ncde\nf")
    assert "Choose a character" in card(page)
    page.run("document.getElementById('pasted').focus()")
    page.browser.switch_to.active_element.send_keys(TAB)
    here = "return document.activeElement.number"
    assert page.run(here) == 0
    for key, number in [(RIGHT, 1), (RIGHT, 2), (RIGHT, 3), (LEFT, 2), (DOWN, 5), (UP, 2)]:
        page.browser.switch_to.active_element.send_keys(key)
        assert page.run(here) == number
        assert f"character {number + 1} of 8" in card(page)
    for keys, number in [((HOME,), 0), ((END,), 2), (("\ue009", END), 7), ((RIGHT,), 7)]:
        page.browser.switch_to.active_element.send_keys(*keys)
        assert page.run(here) == number
    told = page.run("return document.getElementById('told').textContent")
    bits = page.run("return charrnn.panel.reading.surprise(7).toFixed(1)")
    assert told.startswith(f"f: {bits} bits. Likeliest were ")
    tabs = page.run("return document.querySelectorAll('#characters [tabindex=\"0\"]').length")
    assert tabs == 1


def test_arrows_follow_the_direction_of_the_writing(browser):
    page = open_page(browser, model_of("hebrew", HEBREW, units=8))
    look(page, "אבגד\nה")
    page.run("charrnn.panel.characters.go(0)")
    for key, number in [(LEFT, 1), (LEFT, 2), (RIGHT, 1), (END, 4), (HOME, 0), (DOWN, 5)]:
        page.browser.switch_to.active_element.send_keys(key)
        assert page.run("return document.activeElement.number") == number
    first, second = page.run("""
        const { spans } = charrnn.panel.characters;
        return [0, 1].map((number) => spans[number].getBoundingClientRect().left);
    """)
    assert first > second


def test_a_character_that_is_pointed_at_is_shown_for_as_long(browser):
    from selenium.webdriver import ActionChains

    page = open_page(browser, model_of(units=8))
    look(page, "abcdef")
    spans = page.browser.find_elements("css selector", "#characters span")
    spans[1].click()
    assert "character 2 of 6" in card(page)
    ActionChains(page.browser).move_to_element(spans[4]).perform()
    assert "character 5 of 6" in card(page)
    ActionChains(page.browser).move_to_element(page.find("look-title")).perform()
    assert "character 2 of 6" in card(page)


def test_a_unit_and_a_gate_colour_the_text_by_their_values(browser):
    model = model_of(units=8, cell="lstm")
    page = open_page(browser, model)
    look(page, TEXT, "unit")
    page.run("""
        document.getElementById("unit-state").value = "1/c";
        document.getElementById("unit").value = 5;
        document.getElementById("unit").dispatchEvent(new Event("input", { bubbles: true }));
    """)
    values = model.states(TEXT)["layers.1.c"][:, 5]
    levels = np.rint(5 * values / np.abs(values).max()).astype(int)
    expected = [f"{'p' if level > 0 else 'n'}{abs(level)}" if level else "" for level in levels]
    assert classes(page) == expected
    look(page, TEXT, "gate")
    values = model.states(TEXT)["layers.1.i"].mean(1)
    shares = (values - values.min()) / (values.max() - values.min())
    assert classes(page) == [f"g{round(float(8 * share))}" for share in shares]
    look(page, TEXT, "surprise")
    bits = bits_of(model, TEXT)
    near = np.array([int(each[1:]) for each in classes(page)]) - bits.clip(max=8)
    assert np.abs(near).max() <= 0.5 + 1e-3


def classes(page):
    return page.run("return charrnn.panel.characters.spans.map((span) => span.className)")


def test_a_cell_without_gates_offers_none(browser):
    page = open_page(browser, model_of(cell="rnn", units=8))
    look(page, TEXT)
    assert not page.find("gate-view").is_displayed()
    page = open_page(browser, model_of("gated", cell="gru", units=8))
    look(page, TEXT, "gate")
    options = page.run(
        "return Array.from(document.getElementById('gate').options, (each) => each.text)"
    )
    assert options == ["update gate z of layer 1", "reset gate r of layer 1"]
    assert "z_t = σ(x_t W_z" in page.run(
        "return document.querySelector('#equations pre').textContent"
    )


def test_units_are_measured_on_the_run_s_own_validation_text():
    untrained(text=FEATURED * 8)
    model = load("fox")
    recording = record(model.checkpoint.config.model, model.vocabulary.size)
    told = look_inside(model, recording, None)
    assert told["measured"] == "validation"
    assert told["length"] == len(model.corpus().validation)
    text = model.vocabulary.decode(model.corpus().validation)
    assert told["units"]
    for unit in told["units"]:
        values = model.states(text)[f"layers.{unit['layer']}.{unit['state'][2:]}"]
        feature = read_features(text)[unit["feature"]]
        r = np.corrcoef(values[:, unit["unit"]], feature)[0, 1]
        assert unit["strength"] == pytest.approx(r, abs=0.1)
    assert text[:40] not in json.dumps(told, ensure_ascii=False)


def test_without_the_run_s_text_the_given_one_is_measured_or_none():
    model = model_of()
    recording = record(model.checkpoint.config.model, model.vocabulary.size)
    told = look_inside(model, recording, FEATURED)
    assert (told["measured"], told["length"]) == ("text", len(FEATURED))
    told = look_inside(model, recording, "short")
    assert (told["measured"], told["units"]) == (None, [])


def test_a_byte_level_model_is_measured_on_its_own_text():
    model = model_of("bytes", BYTES, byte_level=True)
    recording = record(model.checkpoint.config.model, model.vocabulary.size)
    assert look_inside(model, recording, "Éa你 " * 400)["measured"] == "text"


def units_shown(page):
    look(page, TEXT, "unit")
    return page.find("units").text


def test_the_list_of_units_says_what_they_follow_and_how_strongly(browser):
    untrained(text=FEATURED * 8)
    page = open_page(browser, load("fox"))
    shown, units = units_shown(page), page.run("return charrnn.data.look.units")
    assert "characters of the run’s validation text" in shown
    for unit in units:
        assert unit["feature"] in shown
        assert f"unit {unit['unit']}" in shown
        assert f"{abs(unit['strength']):.2f}" in shown
    missed = set(read_features("")) - {unit["feature"] for unit in units}
    assert all(feature in shown.partition("No unit closely follows: ")[2] for feature in missed)
    last = page.browser.find_elements("css selector", "#units button")[-1]
    last.click()
    assert last.get_attribute("aria-pressed") == "true"
    chosen = page.run(
        "return [document.getElementById('unit-state').value, charrnn.panel.view.unit]"
    )
    assert f"{chosen[0]} {chosen[1]}" == last.get_attribute("value")


def test_where_nothing_is_found_or_measured_the_page_says_so(browser):
    noise = "".join(np.random.default_rng(0).choice(list("ab"), 2000))
    shown = units_shown(open_page(browser, model_of(characters="\nab"), text=noise))
    assert "Measured on 2,000 characters of the text in this page: nothing found." in shown
    shown = units_shown(open_page(browser, model_of("alone")))
    assert "takes at least 1,000 characters of text" in shown


def test_a_text_is_shown_and_never_run(browser):
    page = open_page(browser, model_of(characters=f"{LETTERS}<>=()/0"))
    hostile = "<img src=x onerror=alert(1)></script>"
    look(page, hostile)
    page.run("charrnn.panel.characters.go(3)")
    assert page.run("return document.getElementById('characters').textContent") == hostile
    assert page.browser.find_elements("css selector", "#look img") == []


@pytest.fixture
def emulate(browser):
    """Have the browser behave as with another screen; undone at the end."""
    yield browser.execute_cdp_cmd
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("kind", ["light", "dark"])
def test_a_coloured_character_can_be_read(browser, emulate, kind):
    features = [{"name": "prefers-color-scheme", "value": kind}]
    emulate("Emulation.setEmulatedMedia", {"features": features})
    page = open_page(browser, model_of(units=8))
    look(page, "abc")
    names = [
        f"{kind}{level}"
        for kind, most in (("s", 8), ("g", 8), ("p", 5), ("n", 5))
        for level in range(1, most + 1)
    ]
    ratios = dict(page.run(CONTRAST, ["", *names]))
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}
    assert len(set(ratios.values())) > 10
    heights = {name: shadow(page, name) for name in names}
    for letter, most in (("s", 8), ("g", 8), ("p", 5), ("n", 5)):
        levels = [heights[f"{letter}{level}"] for level in range(1, most + 1)]
        assert levels == sorted(levels, key=abs)
        assert (levels[-1] > 0) == (letter == "n")


def shadow(page, name):
    """The height of the bar beside a colour, from the top where it is above 0."""
    offset = page.run(
        "const [span] = charrnn.panel.characters.spans; span.className = arguments[0];"
        "return getComputedStyle(span).boxShadow",
        name,
    )
    return float(offset.partition(" 0px ")[2].partition("px")[0])


def test_a_tapped_character_s_card_is_a_sheet_on_a_phone(browser, emulate):
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    emulate("Emulation.setDeviceMetricsOverride", phone)
    untrained()
    page = open_page(browser, load("fox"))
    look(page, TEXT, "surprise")
    page.run("charrnn.panel.characters.go(3)")
    box = "document.getElementById('character').getBoundingClientRect()"
    top, bottom = page.run(f"const box = {box}; return [box.top, box.bottom]")
    assert top >= 844 / 2 - 1
    assert bottom == 844
    page.run("document.querySelector('#character .close').click()")
    assert not page.run("return document.querySelector('#character h3')")


def test_nothing_inside_is_wider_than_a_phone(browser, emulate):
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    emulate("Emulation.setDeviceMetricsOverride", phone)
    untrained(text=FEATURED * 8)
    page = open_page(browser, load("fox"))
    for view in ("surprise", "unit", "gate"):
        look(page, f"{'a' * 300}\n{TEXT}", view)
        page.run("document.getElementById('equations').open = true")
        page.run("charrnn.panel.characters.go(100)")
        widths = page.run("""
            return [...document.querySelectorAll("#look *")]
                .filter((each) => each.offsetParent && !each.closest("pre"))
                .map((each) => each.getBoundingClientRect()).map((box) => [box.left, box.right]);
        """)
        assert min(left for left, _ in widths) >= 0
        assert max(right for _, right in widths) <= 390


def test_every_control_inside_has_a_name_and_is_reached_by_the_keyboard(browser):
    untrained(text=FEATURED * 8)
    page = open_page(browser, load("fox"))
    for view, ids in (("unit", {"unit-state", "unit"}), ("gate", {"gate", "gate-unit"})):
        look(page, "abc", view)
        controls = page.browser.find_elements(
            "css selector", "#look textarea, #look input, #look select, #look button, #look summary"
        )
        shown = [each for each in controls if each.is_displayed()]
        assert all(each.accessible_name for each in shown)
        page.run("document.querySelector('[name=source]:checked').focus()")
        reached = set()
        for _ in range(30):
            page.browser.switch_to.active_element.send_keys(TAB)
            reached.add(page.run("return document.activeElement.id"))
        assert ids | {"pasted"} <= reached
