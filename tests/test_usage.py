"""The help in groups, short options, and usage errors: one line that says what was meant."""

import re
from pathlib import Path

import pytest
from commands import charrnn, untrained

from charrnn.cli.usage import nearest

GROUPS = {
    "train": ["Run", "Text", "Plan", "Network", "Optimizer", "Reporting", "Other"],
    "sample": ["Model", "Start", "Choice", "End", "Search", "Output", "Other"],
}


@pytest.mark.parametrize("command", GROUPS)
def test_the_help_stands_in_groups(command):
    shown = charrnn(command, "--help").out
    assert re.findall(r"^(\w+):$", shown, re.MULTILINE) == GROUPS[command]
    *_, other = shown.partition("\nOther:\n")
    assert other == "  -h, --help  Show this message and exit.\n"


def test_defaults_are_shown_as_people_write_them():
    shown = charrnn("train", "--help").out + charrnn("sample", "--help").out
    assert not re.search(r"\b\d+\.0\]", shown)
    assert "[default: 1]" in shown


def test_the_help_names_the_optimizers_and_only_a_few_cells():
    shown = " ".join(charrnn("train", "--help").out.split())
    assert "One of: adamw." in shown
    assert "peephole" not in shown


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (["-t", 0.5], ["--temperature", 0.5]),
        (["--temp", 0.5], ["--temperature", 0.5]),
        (["-l", 9], ["--length", 9]),
        (["-p", "the"], ["--prompt", "the"]),
        (["-n", 2], ["--count", 2]),
        (["-s", 7], ["--seed", 7]),
    ],
)
def test_short_options_of_sample(short, long):
    untrained()
    given = ["--length", 5] * ("-l" not in short) + ["--seed", 1] * ("-s" not in short)
    text = charrnn("sample", *short, *given)
    assert text.status == 0
    assert text == charrnn("sample", *long, *given)


def test_an_output_file_by_its_short_option():
    untrained()
    assert charrnn("sample", "-s", 1, "-l", 5, "-o", "out.txt").out == ""
    assert len(Path("out.txt").read_text(encoding="utf-8")) == 6


def test_short_options_of_train():
    shown = charrnn("train", "--help").out
    for spelling in ("-n, --name", "-t, --time", "--lr, --learning-rate", "-s, --seed"):
        assert f"  {spelling} " in shown


def test_names_are_taken_in_any_case():
    refused = charrnn("train", "nowhere.txt", "--cell", "LSTM", "--activation", "Tanh")
    assert (
        refused.err == "charrnn: --activation tanh: not a choice of the cell lstm; leave it out\n"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train --unts 3", "no such option --unts; did you mean --units?"),
        ("train --num_layers 3", "no such option --num_layers; did you mean --layers?"),
        ("train -lenght 3", "no such option -lenght; did you mean --seq-length?"),
        ("sample -qq", "no such option -qq"),
        (
            "sample --rep 3",
            "no such option --rep; did you mean --repetition-penalty or --repetition-window?",
        ),
        ("sample --units 3", "no such option --units; it is an option of charrnn train"),
        ("sample --zzz", "no such option --zzz"),
        ("train --units x", "--units: 'x': write one number, or one for each layer: 512,256"),
        ("evaluate --which lats", "--which: 'lats' is not one of 'best', 'last'; did you mean"),
        ("sample -length 300", "-length: write it with two dashes, --length"),
        ("sample -temperature=1", "-temperature=1: write it with two dashes, --temperature"),
        ("list a", "got unexpected extra argument"),
    ],
)
def test_a_usage_error_is_one_line(line, said):
    command, *arguments = line.split()
    refused = charrnn(command, *arguments)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith(f"charrnn: {said}")
    assert refused.err.endswith(f"; see charrnn {command} --help\n")
    assert refused.err.count("\n") == 1


def test_a_value_may_begin_with_a_dash():
    untrained()
    assert charrnn("sample", "--prompt", "-length", "--length", 3).out.startswith("-length")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("trian", "no such command 'trian'; did you mean charrnn train?"),
        ("notes.txt", "no such command 'notes.txt'; did you mean charrnn train notes.txt?"),
        ("zzz", "no such command 'zzz'"),
    ],
)
def test_a_command_that_does_not_exist(name, said):
    Path("notes.txt").touch()
    refused = charrnn(name)
    assert (refused.status, refused.err) == (2, f"charrnn: {said}; see charrnn --help\n")


def test_an_option_before_the_command():
    refused = charrnn("--temperature", 1)
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "it is an option of charrnn sample" in refused.err


def test_nothing_at_all_shows_the_help():
    shown = charrnn()
    assert "Commands:" in shown.out + shown.err


@pytest.mark.parametrize(
    ("word", "names"),
    [("gur", ["gru"]), ("LSTM", ["lstm"]), ("g", ["gru", "gru_classic"]), ("", []), ("x", [])],
)
def test_the_nearest_name(word, names):
    assert nearest(word, ["lstm", "gru", "gru_classic", "rnn"]) == names


@pytest.mark.parametrize("command", ["train", "sample", "info"])
def test_an_option_without_its_value_names_the_command_whose_help_tells_more(command):
    refused = charrnn(command, "--checkpoints")
    assert refused.status == 2
    assert refused.err.endswith(f"requires an argument; see charrnn {command} --help\n")


def test_the_commands_are_listed_in_a_whole_line_each():
    shown = charrnn("--help").out
    assert "..." not in shown.partition("Commands:")[2]


def test_of_two_lengths_each_is_named_as_the_user_wrote_it():
    assert "--steps 5 --time 3:" in charrnn("train", "--steps", 5, "--time", "3s").err
