"""For tests of the page: runs that cost nothing to make, and a browser that opens their pages."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn.config import Config
from charrnn.models.language_model import LanguageModel, load
from charrnn.network.weights import LOGITS_KERNEL, add_prefix, initial_weights
from charrnn.page.document import build_page
from charrnn.runs import checkpoints
from charrnn.runs.checkpoints import Checkpoint
from charrnn.runs.progress import Progress
from charrnn.runs.run import Run
from charrnn.text.vocabulary import Vocabulary

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
NEEDS = "no chromium and chromium-driver here (apt-get install chromium chromium-driver)"
FEATURES = ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--window-size=1200,900")
LOGS = {"browser": "ALL", "performance": "ALL"}
SENT = "Network.requestWillBeSent"
PATIENCE_SECONDS = 60
LETTERS = "\n !,abcdefghijklmnopqrstuvwxyz"
FLAT, PEAKED = 1, 6
"""Factors for the fresh weights of the output: as they are all characters are about as likely."""


def start_browser() -> Any:
    """A headless Chromium; the test is skipped where there is none."""
    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.skip(NEEDS)
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium here")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for feature in FEATURES:
        options.add_argument(feature)
    options.set_capability("goog:loggingPrefs", LOGS)
    service = webdriver.ChromeService(str(DRIVER))
    return webdriver.Chrome(options=options, service=service)


def complaints(browser: Any) -> list[str]:
    """What the page has written to the console since this was last asked."""
    return [entry["message"] for entry in browser.get_log("browser")]


def requests(browser: Any) -> list[str]:
    """The addresses that the page has asked for since this was last asked, itself left out."""
    sent = [
        params
        for method, params in network_events(browser)
        if method == "Network.requestWillBeSent"
    ]
    return [each["request"]["url"] for each in sent if each["type"] != "Document"]


def blocked(browser: Any) -> set[str]:
    """The addresses that the policy has kept the page from since this was last asked."""
    events = network_events(browser)
    refused = {params["requestId"] for _, params in events if params.get("blockedReason") == "csp"}
    sent = [params for method, params in events if method == SENT]
    return {each["request"]["url"] for each in sent if each["requestId"] in refused}


def network_events(browser: Any) -> list[tuple[str, dict[str, Any]]]:
    """What the browser tells of its requests: the name of each event, and its facts."""
    messages = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
    named = [(each["method"], each["params"]) for each in messages]
    return [(method, params) for method, params in named if method.startswith("Network.")]


def model_of(
    name: str = "fox", characters: str = LETTERS, byte_level: bool = False, **settings: Any
) -> LanguageModel:
    """A model in a run of its own below `checkpoints/`, its weights drawn and never trained."""
    config = Config.of(**{"units": 24, "embedding": 8} | settings)
    vocabulary = Vocabulary.of(characters, byte_level)
    weights = initial_weights(config.model, vocabulary.size, seed=1)
    if LOGITS_KERNEL in weights:
        weights[LOGITS_KERNEL] = weights[LOGITS_KERNEL] * np.float32(PEAKED)
    run = Run(Path("checkpoints") / name)
    run.folder.mkdir(parents=True)
    tensors = add_prefix("weights", weights)
    checkpoints.save(run.best, Checkpoint(config, vocabulary, Progress(end=1), tensors))
    return load(name)


class Opened:
    """A page in the browser. What a person does, and what they see."""

    def __init__(self, browser: Any, path: Path) -> None:
        self.browser = browser
        browser.get(path.absolute().as_uri())
        self.wait()

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a function's body in JavaScript."""
        return self.browser.execute_script(script, *arguments)

    def find(self, name: str) -> Any:
        """The element of this id."""
        return self.browser.find_element("id", name)

    def wait(self) -> None:
        """Until nothing is being written."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self.run("return !charrnn.desk || charrnn.desk.writing"):
            assert time.monotonic() < end, "the page does not come to an end"

    def choose(self, **settings: object) -> None:
        """Fill in controls, all others as they are when the page is opened."""
        script = "document.getElementById('controls').reset(); for (const [id, value] of"
        script += " Object.entries(arguments[0])) document.getElementById(id).value = value;"
        self.run(script, {name: str(value) for name, value in settings.items()})

    def press(self, name: str) -> None:
        """Press a button, and wait until what it begins is done."""
        self.find(name).click()
        self.wait()

    def write(self, **settings: object) -> str:
        """The text that is written with these settings, without the prompt."""
        self.choose(**settings)
        self.press("write-button")
        text: str = self.run("return charrnn.desk.writer.text")
        return text

    @property
    def shown(self) -> str:
        """All of the sheet."""
        text: str = self.run("return document.getElementById('text').textContent")
        return text


def open_page(browser: Any, model: LanguageModel, **options: Any) -> Opened:
    """A model's page in the browser, with its weights as they are."""
    path = Path("page.html")
    path.write_bytes(build_page(model, **{"precision": 32, **options}))
    return Opened(browser, path)
