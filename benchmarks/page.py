"""The page in Chromium: how large it is, how soon it writes, and how fast.

    pip install '.[test]' && python benchmarks/page.py

Needs Chromium and its driver (apt-get install chromium chromium-driver). The models are LSTMs
with random weights, 65 characters and an embedding of 64, in half precision. Each page is opened
in several rounds, the sizes in turn; the figures are medians. The speed is that of the page as a
person sees it, filters, noise and the growing text included.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from sample_speed import make_run

from charrnn.models.language_model import load
from charrnn.page.document import build_page

sys.path.append(str(Path(__file__).parent.parent / "tests"))
SHAPES = {"2x128": (2, 128), "1x384": (1, 384), "2x384": (2, 384), "2x1024": (2, 1024)}
CHARACTERS = {"2x128": 20_000, "1x384": 8_000, "2x384": 3_000, "2x1024": 500}
WATCH = """
addEventListener("DOMContentLoaded", () => {
  const text = document.getElementById("text");
  const observer = new MutationObserver(() => {
    if (!text.textContent) return;
    observer.disconnect();
    globalThis.firstLetterMs = performance.now();
  });
  observer.observe(text, { characterData: true, childList: true, subtree: true });
});
"""
"""Notes when the first letter is on the page, counted from the start of its opening."""
WRITE = """
document.getElementById("length").value = arguments[0];
charrnn.desk.write();
globalThis.longestFrameMs = 0;
const begin = performance.now();
let before = begin;
requestAnimationFrame(function look(now) {
  globalThis.longestFrameMs = Math.max(longestFrameMs, now - before);
  before = now;
  globalThis.writingMs = performance.now() - begin;
  if (charrnn.desk.writing) requestAnimationFrame(look);
});
"""
"""Writes, and notes how long it takes and the longest time without a new picture."""


def figures_of(browser: Any, page: Path, characters: int) -> dict[str, float]:
    """The figures of one opening."""
    browser.get("about:blank")
    browser.get(page.as_uri())
    wait(browser)
    first_ms = browser.execute_script("return firstLetterMs")
    browser.execute_script(WRITE, characters)
    wait(browser)
    time.sleep(0.1)  # for the last picture
    writing_ms, frame_ms = browser.execute_script("return [writingMs, longestFrameMs]")
    return {
        "first_letter_seconds": first_ms / 1000,
        "characters_per_second": characters / writing_ms * 1000,
        "longest_frame_ms": frame_ms,
    }


def wait(browser: Any) -> None:
    """Until nothing is being written."""
    while browser.execute_script("return !charrnn.desk || charrnn.desk.writing"):
        time.sleep(0.05)


def make_page(root: Path, layers: int, units: int) -> tuple[Path, dict[str, float]]:
    """A page with a model of random weights, and its size."""
    model = load(make_run(root, layers, units))
    page = root / f"{layers}x{units}.html"
    page.write_bytes(build_page(model))
    size, parameters = page.stat().st_size, model.checkpoint.parameters
    return page, {"bytes": size, "bytes_beside_2.7_a_parameter": size - 2.7 * parameters}


def measure(browser: Any, root: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Every figure, by the shape of the network."""
    made = {name: make_page(root, *shape) for name, shape in SHAPES.items()}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SHAPES}
    for _ in range(rounds):
        for name, (page, _) in made.items():
            found[name].append(figures_of(browser, page, CHARACTERS[name]))
    return {name: size | medians(found[name]) for name, (_, size) in made.items()}


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(rounds: int, as_json: bool) -> None:
    from browsing import start_browser

    browser = start_browser()
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    try:
        with tempfile.TemporaryDirectory() as root:
            figures = measure(browser, Path(root), rounds)
    finally:
        browser.quit()
    if as_json:
        click.echo(json.dumps(figures))
        return
    for name, values in figures.items():
        click.echo(f"{name}: " + ", ".join(f"{key} {value:,.4g}" for key, value in values.items()))


if __name__ == "__main__":
    main()
