"""The commands as a user runs them."""

import csv
import json
import math
import re
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import ROOT, Outcome, charrnn, options, tree
from conftest import SMALL, TEXT
from graphs import without_xla

from charrnn.cli.display import Display
from charrnn.cli.options import name_options, option
from charrnn.cli.output import Page
from charrnn.cli.process import requests
from charrnn.config import GROUPS, Plan, SamplingConfig
from charrnn.config.settings import name_of, resolve
from charrnn.models.language_model import LanguageModel
from charrnn.runs import checkpoints, events
from charrnn.runs.run import Run
from charrnn.sampling.track import repeats_itself
from charrnn.sampling.writing import Writing
from charrnn.tf.limits import cores
from charrnn.tf.parts import choose_parts
from charrnn.types import Score

pytestmark = pytest.mark.usefixtures("eagerly")

STEPS = 4
TINY = options(**SMALL)


SIGNALS = [(number, 128 + number) for number in requests()]


def interrupted(event: type, number: int, *arguments: Any, stdin: bytes = b"") -> Outcome:
    """`charrnn train`, which gets a signal at the first event of a kind."""
    show = Display.__dict__["show"]

    def signal_at(display: Display, shown: Any) -> None:
        if isinstance(shown, event):
            signal.raise_signal(number)
        show.__get__(display, Display)(shown)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Display, "show", signal_at)
        return charrnn("train", *arguments, stdin=stdin)


def begin(*arguments: Any, stdin: bytes = b"") -> None:
    """`charrnn train`, stopped before its first step, which is what takes time to compile."""
    outcome = interrupted(events.Started, signal.SIGINT, *arguments, "--steps", 9, stdin=stdin)
    assert outcome.status == 130, outcome


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A folder in which `charrnn train` ran once, and what it left on the screen."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "fox.txt").write_text(TEXT, encoding="utf-8")
    every = ("--eval-every", 1, "--sample-every", 3)
    arguments = (folder / "fox.txt", *TINY, *every, "--steps", STEPS)
    with without_xla():
        return folder, charrnn("train", *arguments, "--checkpoints", folder / ROOT)


@pytest.fixture
def fox(first: tuple[Path, Outcome], tmp_path: Path) -> Run:
    """The trained run, copied to this test's own folder with its text."""
    shutil.copytree(first[0], tmp_path, dirs_exist_ok=True)
    return Run(ROOT / "fox")


def written(*arguments: Any) -> str:
    """The text of `charrnn sample`."""
    outcome = charrnn("sample", *arguments)
    assert outcome.status == 0, outcome
    return outcome.out


def figures(*arguments: Any) -> dict[str, Any]:
    """What a command tells with --json."""
    outcome = charrnn(*arguments, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.count("\n") == 1
    told: dict[str, Any] = json.loads(outcome.out)
    return told


# -- train -------------------------------------------------------------------------------


def test_training_writes_a_run_and_tells_of_it_on_standard_error(
    first: tuple[Path, Outcome],
) -> None:
    folder, outcome = first
    assert (outcome.status, outcome.out) == (0, "")
    for words in (
        "1,800 characters, 29 distinct; 1,620 for training, 180 for validation",
        f"fox: 702 parameters, step 0 of {STEPS}",
        "nats = ",
        f"finished at step {STEPS}, lowest validation loss ",
        "charrnn sample fox",
    ):
        assert words in outcome.err
    assert set(tree(folder / ROOT / "fox")) == {
        "best.safetensors",
        "last.safetensors",
        "corpus.ids",
        "corpus.json",
        "history.csv",
        "samples.jsonl",
        ".lock",
    }


def test_training_shows_a_sample_between_rules(first: tuple[Path, Outcome]) -> None:
    _, sample, rest = first[1].err.split("-" * 72 + "\n")
    assert len(sample) >= 200
    assert set(sample) <= set(TEXT)
    assert "step 4" in rest


def test_the_history_has_a_row_for_each_evaluation(fox: Run) -> None:
    with fox.history.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4]
    for row in rows:
        nats = float(row["val_loss_nats"])
        assert nats == pytest.approx(float(row["val_bits_per_char"]) * math.log(2))
    best = min(rows, key=lambda row: float(row["val_loss_nats"]))
    progress = checkpoints.load(fox.best).progress
    assert progress.best_step == int(best["step"])
    assert progress.best_loss_nats == float(best["val_loss_nats"])


def test_a_finished_run_says_so_and_stays_as_it_is(fox: Run) -> None:
    before = tree(Path())
    for arguments in (["--resume"], ["fox.txt", "--resume"], ["--resume", "--name", "fox"]):
        outcome = charrnn("train", *arguments)
        assert (outcome.status, outcome.out) == (0, "")
        assert "has already finished its 4 steps; train it further with --time 5m" in outcome.err
    assert tree(Path()) == before


def test_a_finished_run_takes_a_new_plan(fox: Run) -> None:
    outcome = charrnn("train", "--resume", "--steps", 3)
    assert outcome.status == 0
    assert "continuing checkpoints/fox at step 4" in outcome.err
    assert "finished at step 7" in outcome.err
    progress = checkpoints.load(fox.last).progress
    assert (progress.step, progress.start, progress.end) == (7, 4, 7)
    with fox.history.open(newline="") as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps == [1, 2, 3, 4, 5, 6, 7]


def test_overwriting_replaces_the_run_and_nothing_else(fox: Run) -> None:
    notes = fox.folder / "notes.txt"
    notes.write_text("mine", encoding="utf-8")
    begin("fox.txt", "--overwrite", *TINY, "--seed", 3)
    checkpoint = checkpoints.load(fox.last)
    assert (checkpoint.progress.step, checkpoint.config.training.seed) == (0, 3)
    assert not fox.best.exists()
    assert not fox.history.exists()
    assert not fox.samples.exists()
    assert notes.read_text(encoding="utf-8") == "mine"


def test_overwriting_through_a_link_says_which_run_is_replaced(fox: Run) -> None:
    elsewhere = fox.folder.rename("elsewhere")
    fox.folder.symlink_to(elsewhere.resolve())
    arguments = ("fox.txt", "--overwrite", *TINY, "--steps", 9)
    outcome = interrupted(events.Started, signal.SIGINT, *arguments)
    assert outcome.err.startswith(
        f"{fox.folder} is a link: replacing the run in {elsewhere.resolve()}\n"
    )
    assert fox.folder.is_symlink()
    assert checkpoints.load(elsewhere / fox.last.name).progress.step == 0


def test_a_new_run_starts_from_an_old_one_s_weights(fox: Run) -> None:
    Path("cat.txt").write_text(TEXT.replace("fox", "cätx"), encoding="utf-8")
    before = tree(fox.folder)
    begin("cat.txt", "--init-from", "fox")
    assert tree(fox.folder) == before
    old, new = checkpoints.load(fox.best), checkpoints.load(Run(ROOT / "cat").last)
    assert new.config.model == replace(old.config.model, dropout=new.config.model.dropout)
    assert new.vocabulary.characters == "".join(sorted(set(TEXT) - {"f"} | {"ä"}))
    for part in ("kernel", "recurrent_kernel", "bias"):
        name = f"recurrent_1/{part}"
        assert new.weights[name].tobytes() == old.weights[name].tobytes()


def test_standard_input_is_learnt() -> None:
    begin("-", *TINY, stdin=("ψ" + TEXT).encode())
    assert "ψ" in checkpoints.load(Run(ROOT / "stdin").last).vocabulary.characters


def test_a_run_takes_the_name_and_the_folder_asked_for(corpus: Path) -> None:
    begin(corpus, *TINY, "--name", "wolf", "--checkpoints", "a/b")
    facts = figures("info", "wolf", "--checkpoints", "a/b", "--which", "last")
    assert facts["checkpoint"] == "a/b/wolf/last.safetensors"


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_signal_saves_and_tells_how_to_go_on(number: int, status: int, corpus: Path) -> None:
    handlers = [signal.getsignal(each) for each, _ in SIGNALS]
    outcome = interrupted(events.Started, number, corpus, *TINY, "--steps", 3)
    assert (outcome.status, outcome.out) == (status, "")
    last = outcome.err.splitlines()[-1]
    assert "stopped with 0% done, and saved at step 0" in last
    assert last.endswith("continue with: charrnn train --resume --name corpus")
    assert [signal.getsignal(each) for each, _ in SIGNALS] == handlers
    run = Run(ROOT / "corpus")
    assert checkpoints.load(run.last).progress.end == 3
    with run.locked():
        pass


@pytest.mark.graphs
def test_a_run_that_was_interrupted_ends_as_one_that_was_not(fox: Run) -> None:
    arguments = ("fox.txt", "--name", "bent", *TINY, "--sample-every", 0, "--steps", STEPS)
    outcome = interrupted(events.Stepped, signal.SIGINT, *arguments)
    assert outcome.status == 130
    bent = Run(ROOT / "bent")
    assert checkpoints.load(bent.last).progress.step == 1
    assert charrnn("train", "--resume", "--name", "bent").status == 0
    for which in ("best", "last"):
        one, other = (checkpoints.load(run.checkpoint(which)) for run in (fox, bent))
        assert one.tensors.keys() == other.tensors.keys()
        for name, tensor in one.tensors.items():
            assert tensor.tobytes() == other.tensors[name].tobytes(), name


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_signal_before_training_leaves_nothing(number: int, status: int, corpus: Path) -> None:
    before = tree(Path())
    outcome = interrupted(events.Note, number, corpus, *TINY, "--steps", 3)
    assert outcome.status == status
    assert outcome.err.splitlines()[-1] == "stopped before training began; nothing was saved"
    assert tree(Path()) == before


def test_every_setting_has_an_option_with_help() -> None:
    groups = {"train": [Plan, *GROUPS.values()], "sample": [SamplingConfig]}
    for command, settings in groups.items():
        shown = " ".join(charrnn(command, "--help").out.split())
        for group in settings:
            for field in group.__dataclass_fields__.values():
                if not field.metadata.get("hidden"):
                    assert f" {option(name_of(field))} " in shown
                    assert name_options(resolve(field.metadata["help"])) in shown


def test_options_reach_the_run(corpus: Path) -> None:
    settings = {"cell": "gru", "layers": 2, "dropout": 0.5, "clip_norm": 2.5, "min_count": 2}
    begin(corpus, *TINY, *options(**settings), "--bytes", "--keep-newlines")
    config = checkpoints.load(Run(ROOT / "corpus").last).config
    asked = {**SMALL, **settings, "bytes": True, "keep_newlines": True}
    assert config == config.changed(asked)
    assert (config.training.parts, config.training.threads) == (
        choose_parts(config, cores()),
        cores(),
    )


def test_options_of_the_stack_reach_the_run(corpus: Path) -> None:
    settings = {"cell": "gru_classic", "activation": "relu", "recurrent_dropout": 0.1}
    flags = ("variational", "layer_norm", "tie_embeddings")
    plain = options(batch_size=4, seq_length=10, sample_every=0, units="8,6", **settings)
    begin(corpus, *plain, *(f"--{name.replace('_', '-')}" for name in flags), "--no-bytes")
    model = checkpoints.load(Run(ROOT / "corpus").last).config.model
    asked = {"units": (8, 6), **settings, **dict.fromkeys(flags, True)}
    assert model == replace(model, **asked)
    assert (model.layers, model.embedding) == (2, 6)
    refused = charrnn("train", "--resume", "--units", "8,7")
    assert "--units 8,7: the run has 8,6, which cannot change" in refused.err
    assert charrnn("train", corpus, "--units", "8,x").status == 2


def test_what_is_trained_is_told_and_why(corpus: Path) -> None:
    """The passes over the text, the network, and the dropout that follows."""
    plain = options(units=8, batch_size=4, seq_length=10, sample_every=0)
    stopped = (events.Started, signal.SIGINT, corpus, *plain)
    told = interrupted(*stopped, "--epochs", 0.1).err
    assert "the network: 1 layer of 8 coupled cells, batches of 4 × 10 characters" in told
    assert "the plan: about 0.1 of a pass over the text\n" in told
    assert "learning rate 0.01, weight decay 0.05, dropout 0, recurrent dropout 0\n" in told
    told = interrupted(*stopped, "--time", "60s", "--name", "timed", "--size", "tiny").err
    assert re.search(r"^60 s here: about [\d,]+ passes over the text$", told, re.MULTILINE)
    assert " parameters, step 0\n" in told
    assert checkpoints.load(Run(ROOT / "timed").last).config.model.dropout > 0.2
    told = interrupted(*stopped, "--name", "unplanned").err
    assert "\nat most 5 min here: about 50 passes over the text\n" in told


def test_a_size_is_for_a_new_run(fox: Run) -> None:
    outcome = charrnn("train", "--resume", "--size", "large", "--steps", 3)
    assert "--size large: is only for a new run" in outcome.err
    assert outcome.status == 1
    assert charrnn("train", "fox.txt", "--size", "huge").status == 2


# -- sample ------------------------------------------------------------------------------


def test_a_sample_is_text_alone_and_its_seed_writes_it_again(fox: Run) -> None:
    outcome = charrnn("sample", "--length", 70)
    assert outcome.status == 0
    assert len(outcome.out) == 71
    assert outcome.out.endswith("\n")
    assert set(outcome.out) <= set(TEXT)
    place, seed = outcome.err.strip().split(", --seed ")
    assert place == "checkpoints/fox"
    again = charrnn("sample", "--length", 70, "--seed", seed)
    assert (again.out, again.err) == (outcome.out, outcome.err)
    assert written("--length", 70, "--seed", int(seed) + 1) != outcome.out


def test_a_sample_has_500_characters_unless_told(fox: Run) -> None:
    assert len(written()) == 501


def test_a_greedy_sample_needs_no_luck(fox: Run) -> None:
    texts = {written("--temperature", 0, "--length", 30, "--seed", seed) for seed in (1, 2)}
    assert len(texts) == 1


@pytest.mark.parametrize("command", ["sample", "evaluate", "info"])
def test_the_run_is_named_in_every_way(command: str, fox: Run, tmp_path: Path) -> None:
    loads, loaded = checkpoints.load, []

    def load(path: Path) -> Any:
        loaded.append(path.resolve())
        return loads(path)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("charrnn.runs.checkpoints.open_weights", load)
        patched.setattr("charrnn.models.language_model.open_weights", load)
        patched.setattr(LanguageModel, "evaluate", lambda *_, **__: Score(1, 1.0))
        for run in ([], ["fox"], [fox.folder], [fox.folder.resolve()], [fox.best]):
            assert charrnn(command, *run).status == 0
    default = fox.last if command == "info" else fox.best
    assert loaded == [default.resolve()] * 4 + [fox.best.resolve()]


def test_before_an_evaluation_last_serves(fox: Run) -> None:
    fox.best.unlink()
    assert len(written("--length", 20)) == 21
    assert figures("info")["checkpoint"] == str(fox.last)


def test_best_and_last_are_told_apart(fox: Run) -> None:
    fox.best.unlink()
    assert written("--which", "last", "--length", 20)
    assert charrnn("sample", "--which", "best").status == 1


def test_a_prompt_comes_first_and_counts_not(fox: Run) -> None:
    Path("prompt.txt").write_text("the quick brown", encoding="utf-8")
    given = ("--length", 20, "--seed", 1)
    text = written("--prompt", "the quick brown", *given)
    assert text.startswith("the quick brown")
    assert len(text) == len("the quick brown") + 20 + 1
    assert written("--prompt-file", "prompt.txt", *given) == text


def test_a_prompt_bends_what_follows(fox: Run) -> None:
    """After four steps of training it does so a little: in one text of some."""
    given = ("--length", 100, "--seed", 1, "--count", 100)
    a, b = (written("--prompt", prompt, *given).replace(prompt, "") for prompt in ("fox ", "dog."))
    assert a != b


def test_unknown_characters_of_a_prompt_are_named(fox: Run) -> None:
    outcome = charrnn("sample", "--prompt", "the Föx", "--length", 5)
    assert outcome.status == 0
    assert outcome.out.startswith("the Föx")
    assert outcome.err.splitlines()[1:] == [
        "the model does not know 'F' 'ö'; it reads the unknown symbol instead"
    ]


SEVERAL = ("--prompt", "the", "--length", 20, "--seed", 1, "--temperature", 0.5, "--forbid", "\n")
"""Options of texts that the separator can be told from."""


def test_several_texts_have_an_empty_line_between_and_the_first_is_the_one_written_alone(
    fox: Run,
) -> None:
    bodies = written(*SEVERAL, "--count", 3).removesuffix("\n").split("\n\n")
    assert all(len(body) == 3 + 20 and body.startswith("the") for body in bodies)
    assert len(set(bodies)) == 3
    assert bodies[0] + "\n" == written(*SEVERAL)


def test_texts_are_numbered_on_a_terminal_alone(fox: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = written(*SEVERAL, "--count", 2).removesuffix("\n").split("\n\n")
    lines = (*SEVERAL, "--count", 2, "--lines", 1)
    assert written(*lines).splitlines() == plain
    monkeypatch.setattr(Page, "watched", True)
    assert written(*SEVERAL, "--count", 2) == "--- 1 ---\n{}\n--- 2 ---\n{}\n".format(*plain)
    assert written(*SEVERAL) == plain[0] + "\n"
    assert written(*lines).splitlines() == plain
    assert written(*SEVERAL, "--count", 2, "--separator", "|") == "|".join(plain) + "\n"


@pytest.mark.parametrize(
    ("given", "between"),
    [
        (r"\n", "\n"),
        (r"\n-\t-\n", "\n-\t-\n"),
        (r"\0", "\0"),
        (r"\\n\x", r"\n\x"),
        ("", ""),
        ("é", "é"),
    ],
)
def test_a_separator_stands_between_texts(fox: Run, given: str, between: str) -> None:
    one, two = written(*SEVERAL, "--count", 2).removesuffix("\n").split("\n\n")
    assert written(*SEVERAL, "--count", 2, "--separator", given) == f"{one}{between}{two}\n"


def test_prompt_and_stop_are_escaped_like_the_separator(fox: Run) -> None:
    literal = written("--prompt", "dog.\n", "--stop", ".\nthe", "--length", 60, "--seed", 1)
    assert (
        written("--prompt", r"dog.\n", "--stop", r".\nthe", "--length", 60, "--seed", 1) == literal
    )
    assert "the model does not know '\\\\'" in charrnn("sample", "--prompt", r"a\\n").err


def test_choices_that_lead_nowhere_get_a_line_of_advice(fox: Run) -> None:
    assert "--temperature 5 writes noise" in charrnn("sample", "--temperature", 5).err
    circling = charrnn("sample", "--greedy", "--length", 400)
    advised = "the text repeats itself; --no-repeat 8" in circling.err
    assert advised == repeats_itself(circling.out[:-1])
    assert "repeats itself" not in charrnn("sample", "--greedy", "--no-repeat", 4).err
    assert "--lines" not in charrnn("sample", "--lines", 1).err
    Path("flat.txt").write_text("no line ends here. " * 40)
    begin(Path("flat.txt"), *TINY)
    assert (
        "knows no line breaks: --lines ends no text" in charrnn("sample", "flat", "--lines", 1).err
    )


def test_new_texts_are_in_no_line_of_the_corpus(fox: Run) -> None:
    given = ("--lines", 1, "--length", 6, "--seed", 1)
    names = written(*given, "--count", 9, "--new").splitlines()
    assert len(set(names)) == 9
    assert "" not in names
    assert charrnn("sample", *given, "--new", "--state-out", "state").status == 2
    assert charrnn("sample", "--length", -1, "--new").status == 2
    refused = charrnn("sample", "--new", "--length", 1, "--allow", "\n")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.splitlines()[-1].startswith("charrnn: --new: only 0 of 100 texts are new")


def test_text_is_written_as_it_comes(fox: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def pieces(self: Writing) -> Any:
        for piece in ("brown ", "fox"):
            yield [piece]
            seen.append(sys.stdout.buffer.getvalue().decode())  # type: ignore[attr-defined]

    monkeypatch.setattr(Writing, "__iter__", pieces)
    monkeypatch.setattr(Page, "watched", True)
    assert written("--prompt", "quick ") == "quick brown fox\n"
    assert seen == ["quick brown ", "quick brown fox"]


def test_the_prompt_comes_from_standard_input_and_need_not_be_shown(fox: Run) -> None:
    given = ("sample", "--length", 9, "--seed", 1)
    shown = charrnn(*given, "--prompt", "quick brown")
    assert charrnn(*given, "--prompt", "-", stdin=b"quick brown") == shown
    assert charrnn(*given, "--prompt-file", "-", stdin=b"quick brown") == shown
    hidden = charrnn(*given, "--prompt", "quick brown", "--no-echo")
    assert f"quick brown{hidden.out}" == shown.out


def test_json_has_a_line_for_each_text(fox: Run) -> None:
    text = written(
        "--json", "--count", 2, "--length", 20, "--seed", 7, "--novelty", "--prompt", "q"
    )
    first, second = map(json.loads, text.splitlines())
    assert (first["number"], second["number"]) == (1, 2)
    assert first["text"] == written("--length", 20, "--seed", 7, "--prompt", "q", "--no-echo")[:-1]
    assert (first["prompt"], first["seed"], first["characters"]) == ("q", 7, 20)
    assert first["bits_per_char"] == pytest.approx(-first["log_probability"] / 20 / math.log(2))
    assert first["longest_copy"] in TEXT


def test_an_output_file_holds_the_text(fox: Run) -> None:
    given = ("--length", 90, "--seed", 1)
    assert written(*given, "--output", "out.txt") == ""
    assert Path("out.txt").read_text(encoding="utf-8") == written(*given)
    Path("out.txt").write_text("kept", encoding="utf-8")
    assert charrnn("sample", "--output", "out.txt", "--allow", "€").status == 1
    assert Path("out.txt").read_text(encoding="utf-8") == "kept"


def test_a_text_goes_on_later(fox: Run) -> None:
    whole = written("--prompt", "the ", "--length", 50, "--seed", 3)
    start = written("--prompt", "the ", "--length", 20, "--seed", 3, "--state-out", "state")
    rest = written("--length", 30, "--state-in", "state")
    assert start[:-1] + rest == whole
    given = ("--prompt", rest[:10], "--state-in", "state")
    assert written(*given, "--length", 0) == rest[:10] + "\n"


def test_blending_names_every_run(fox: Run) -> None:
    shutil.copytree(fox.folder, ROOT / "hen")
    given = ("--length", 40, "--seed", 3)
    assert written("--blend", "fox=1", "--blend", "hen=2", *given) == written("fox", *given)
    assert charrnn("sample", "fox", "--blend", "hen=1").status == 2
    assert charrnn("sample", "--blend", "hen=much").status == 2
    twice = charrnn("sample", "--blend", "hen=.5", "--blend", "fox", "--blend", "hen=.2")
    assert (twice.status, twice.out) == (2, "")
    assert "--blend names hen twice" in twice.err
    assert charrnn("sample", "--blend", "cow=1").status == 1


def test_a_text_that_cannot_be_finished_says_so(fox: Run) -> None:
    outcome = charrnn("sample", "--match", "(fox ){9}", "--length", 10)
    assert outcome.out == "fox fox fo\n"
    assert "--match: a text does not match yet" in outcome.err
    assert "--match" not in charrnn("sample", "--match", "(fox ){2}", "--length", 99).err


def test_a_match_that_a_search_finds_is_no_failure(fox: Run) -> None:
    found = charrnn("sample", "--match", "(fox|dog) ", "--beam", 3, "--length", 9)
    assert found.out in ("fox \n", "dog \n")
    assert "--match" not in found.err


def test_an_endless_text_must_be_shown_as_it_comes(fox: Run) -> None:
    for whole in ("--json", "--novelty"):
        assert charrnn("sample", "--length", -1, whole).status == 2
    assert charrnn("sample", "--length", -1, "--json", "--lines", 1).status == 0


def test_an_output_file_is_opened_when_there_is_a_text(fox: Run) -> None:
    Path("old.txt").write_text("old", encoding="utf-8")
    shutil.copy(fox.best, "lone.safetensors")
    outcome = charrnn("sample", "lone.safetensors", "--novelty", "--output", "old.txt")
    assert outcome.status == 1
    assert Path("old.txt").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("path", [".", "nowhere/state"])
def test_a_state_needs_a_place(fox: Run, path: str) -> None:
    outcome = charrnn("sample", "--state-out", path)
    assert (outcome.status, outcome.out) == (2, "")


def test_ctrl_c_ends_a_text_and_keeps_its_state(fox: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    weigh, place = Writing._weigh, []

    def interrupted(self: Writing, logits: Any) -> Any:
        place.append(self.position)
        if self.position == 5:
            signal.raise_signal(signal.SIGINT)
        return weigh(self, logits)

    whole = written("--length", 9, "--seed", 1)
    with monkeypatch.context() as patched:
        patched.setattr(Writing, "_weigh", interrupted)
        outcome = charrnn("sample", "--length", -1, "--seed", 1, "--state-out", "state")
    assert outcome.status == 130
    assert outcome.out == whole[:6] + "\n"
    assert outcome.out[:-1] + written("--length", 3, "--state-in", "state") == whole


def test_stops_and_temperatures_may_be_several(fox: Run) -> None:
    text = written("--stop", "o", "--stop", "e", "--length", -1, "--seed", 1)
    assert not set("oe") & set(text)
    assert written("--temperature", "1.0,0.5", "--length", 20)
    assert charrnn("sample", "--temperature", "warm").status == 2


def test_novelty_is_told_beside_the_text(fox: Run) -> None:
    outcome = charrnn("sample", "--novelty", "--length", 30)
    assert len(outcome.out) == 31
    assert "the longest copy has" in outcome.err.splitlines()[-1]
    given = ("sample", "--novelty", "--length", 3, "--allow", "n", "--seed", 1)
    outcome = charrnn(*given, "--count", 2, "--prompt", "jumps over the lazy dog.\nthe quick brow")
    for line in outcome.err.splitlines()[-2:]:
        assert line.startswith(
            "copied from the training text: 33% of its stretches of 20 characters;"
        )


# -- evaluate and info -------------------------------------------------------------------


def test_evaluation_scores_the_validation_part(fox: Run) -> None:
    score = figures("evaluate")
    assert score["characters"] == 180 - 1
    assert score["nats_per_char"] == pytest.approx(
        checkpoints.load(fox.best).progress.best_loss_nats, rel=1e-6
    )
    assert score["bits_per_char"] == pytest.approx(score["nats_per_char"] / math.log(2))
    assert score["perplexity"] == pytest.approx(math.exp(score["nats_per_char"]))
    assert score["unknown_characters"] == 0


def test_evaluation_scores_given_files(fox: Run) -> None:
    Path("tail.txt").write_text(TEXT[1620:], encoding="utf-8")
    assert figures("evaluate", "fox", "tail.txt") == figures("evaluate", "fox")
    Path("other.txt").write_text("Fox", encoding="utf-8")
    score = figures("evaluate", "fox", "tail.txt", "other.txt")
    assert (score["characters"], score["unknown_characters"]) == (180 + 3 - 1, 1)


def test_evaluation_leaves_no_file_behind(fox: Run) -> None:
    before = tree(Path())
    figures("evaluate", "fox", "fox.txt")
    assert tree(Path()) == before


def test_evaluation_in_cold_windows_is_another_figure(fox: Run) -> None:
    cold = figures("evaluate", "--cold", "--window", 20)
    assert (cold["window"], cold["characters"] % 20) == (20, 0)
    assert cold["nats_per_char"] != figures("evaluate")["nats_per_char"]
    assert cold == figures("evaluate", "--cold", "--window", 20)


@pytest.mark.graphs
def test_dynamic_evaluation_stands_beside_the_static_one(fox: Run) -> None:
    before, static = fox.best.read_bytes(), figures("evaluate")
    both = figures("evaluate", "--dynamic")
    assert {name: both[name] for name in static} == static
    assert both["dynamic_nats_per_char"] != both["nats_per_char"]
    assert fox.best.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--window", 9], "add --cold"),
        (["--cold", "--dynamic"], "leave out --cold"),
        (["--cold"], "--window 256: the text has 180 characters"),
    ],
)
def test_evaluation_refuses_what_does_not_go_together(
    fox: Run, arguments: list[Any], words: str
) -> None:
    outcome = charrnn("evaluate", *arguments)
    assert outcome.status != 0
    assert words in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_evaluation_for_reading_shows_the_same_figures(fox: Run) -> None:
    outcome = charrnn("evaluate")
    assert (outcome.status, outcome.err) == (0, "")
    shown = dict(line.split() for line in outcome.out.splitlines())
    for name, value in figures("evaluate").items():
        assert float(shown[name].replace(",", "")) == pytest.approx(value, abs=1e-4)


def test_information_is_verified_on_request(fox: Run) -> None:
    """Without a word, the numbers of a large file are left on disk."""
    files = ["last.safetensors", "best.safetensors", "corpus.ids"]
    assert figures("info", "--verify")["verified"] == files
    assert "verified" not in charrnn("info").out
    data = fox.best.read_bytes()
    fox.best.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert charrnn("info").status == 0
    refused = charrnn("info", "--verify")
    assert (refused.status, refused.out) == (1, "")
    assert f"{fox.best}: damaged checkpoint: its tensors do not match" in refused.err


def test_information_is_the_checkpoint_s(fox: Run) -> None:
    facts = figures("info")
    checkpoint = checkpoints.load(fox.last)
    assert facts["checkpoint"] == str(fox.last)
    assert facts["config"] == checkpoint.config.to_json()
    assert facts["parameters"] == sum(weight.size for weight in checkpoint.weights.values())
    assert facts["vocabulary_size"] == len(set(TEXT)) + 1
    assert (facts["step"], facts["end"]) == (checkpoint.progress.step, STEPS)
    assert facts["best_loss_nats"] == checkpoint.progress.best_loss_nats


def test_best_and_last_have_the_same_network(fox: Run) -> None:
    best, last = (figures("info", "--which", which) for which in ("best", "last"))
    assert best["parameters"] == last["parameters"]


def test_information_for_reading_shows_the_same_facts(fox: Run) -> None:
    outcome = charrnn("info")
    assert (outcome.status, outcome.err) == (0, "")
    shown = {line[:26].strip(): line[26:].strip() for line in outcome.out.splitlines()}
    assert shown["weights"] == "702"
    assert shown["units"] == "8"
    assert shown["keep newlines"] == "no"
    assert shown["eval every"] == "1"
    assert shown["checkpoint every"] == "-"


def test_reading_commands_change_nothing(fox: Run) -> None:
    before = tree(Path())
    for command in ("sample", "evaluate", "info"):
        assert charrnn(command).status == 0
    assert tree(Path()) == before
