"""What the user names: files, folders, globs, standard input, or nothing."""

import glob
import gzip
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text.reading import Source, read
from charrnn.text.sources import (
    BINARY,
    REFERENCE_NAME,
    REPEATED,
    RUNS,
    SPECIAL,
    UNDECODABLE,
    run_name,
    select,
)


def write(*names: str, data: bytes = b"text\n") -> None:
    """Files with the names, their folders made."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data)


def selected(*corpus: str) -> list[str]:
    """The names of the sources that the arguments select."""
    return [source.name for source in select(corpus).sources]


def test_files_come_in_the_order_in_which_they_are_named() -> None:
    write("b.txt", "a.txt")
    assert selected("b.txt", "a.txt") == ["b.txt", "a.txt"]
    assert [source.name for source in select([Path("a.txt")]).sources] == ["a.txt"]


def test_a_folder_gives_every_file_below_it_sorted_by_path() -> None:
    write("d/z.txt", "d/a.txt", "d/m/x.txt", "d/b/deep/y", "d/b.txt")
    names = selected("d")
    assert names == [str(path) for path in sorted(map(Path, names))]
    assert set(names) == {"d/a.txt", "d/b/deep/y", "d/b.txt", "d/m/x.txt", "d/z.txt"}


def test_hidden_files_and_folders_below_a_folder_are_left_out() -> None:
    write("d/a.txt", "d/.hidden", "d/.git/config", "d/sub/.x/y.txt")
    assert selected("d") == ["d/a.txt"]


def test_a_hidden_file_or_folder_that_is_named_is_taken() -> None:
    write(".notes/a.txt", ".diary")
    assert selected(".notes", ".diary") == [".notes/a.txt", ".diary"]


def test_binary_files_in_a_folder_are_passed_over_and_reported() -> None:
    write("d/a.txt")
    write("d/sub/picture.png", data=b"\x89PNG\0\0")
    write("d/packed.gz", data=gzip.compress(b"\0\1\2"))
    write("d/b.txt.gz", data=gzip.compress(b"text"))
    selection = select(["d"])
    assert [source.name for source in selection.sources] == ["d/a.txt", "d/b.txt.gz"]
    assert selection.skipped == {BINARY: ["d/packed.gz", "d/sub/picture.png"]}


def test_a_binary_file_that_is_named_is_not_passed_over() -> None:
    write("picture.png", data=b"\x89PNG\0\0")
    assert selected("picture.png") == ["picture.png"]


@pytest.mark.parametrize("packed", [b"no gzip", gzip.compress(b"text" * 99, mtime=0)[:-9], b""])
def test_a_damaged_file_in_a_folder_is_left_for_reading_to_report(packed: bytes) -> None:
    write("d/a.txt")
    write("d/b.gz", data=packed)
    selection = select(["d"])
    assert [source.name for source in selection.sources] == ["d/a.txt", "d/b.gz"]
    if packed:
        with pytest.raises(CorpusError, match=r"^d/b\.gz: "):
            list(read(selection.sources[1], TextConfig()))


def test_a_deflate_stream_that_is_damaged_is_left_for_reading_to_report() -> None:
    packed = bytearray(gzip.compress(bytes(range(32, 127)) * 3))
    packed[10:20] = b"\xff" * 10
    write("d/b.gz", data=bytes(packed))
    assert selected("d") == ["d/b.gz"]


def test_a_folder_without_text_is_an_error() -> None:
    Path("empty").mkdir()
    write("binary/a", data=b"\0")
    for folder in ("empty", "binary"):
        with pytest.raises(CorpusError, match=f"^{folder}: no text file"):
            select([folder])


def test_a_subfolder_that_cannot_be_listed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    write("d/a.txt", "d/locked/b.txt")
    scandir = os.scandir

    def forbidding(path: str) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidding)
    with pytest.raises(CorpusError, match=r"^d/locked: .*Permission denied"):
        select(["d"])


def test_globs_match_sorted_files_and_folders() -> None:
    write("d/b.txt", "d/a.txt", "d/c.md", "e/x/1.txt", "e/y/2.txt")
    assert selected("d/*.txt") == ["d/a.txt", "d/b.txt"]
    assert selected("e/*") == ["e/x/1.txt", "e/y/2.txt"]
    assert selected("**/*.txt") == ["d/a.txt", "d/b.txt", "e/x/1.txt", "e/y/2.txt"]


def test_a_glob_takes_each_file_once_though_it_matches_its_folders_too() -> None:
    write("d/a.txt", "d/sub/b.txt", "d/sub/deep/c.txt")
    write("d/sub/picture.png", data=b"\0")
    selection = select(["d/**"])
    names = [source.name for source in selection.sources]
    assert sorted(names) == ["d/a.txt", "d/sub/b.txt", "d/sub/deep/c.txt"]
    assert selection.skipped == {BINARY: ["d/sub/picture.png"]}


GLOBS = (
    "d/**",
    "**/*.txt",
    "**/x/*",
    "**",
    "d/**/x",
    "*/x",
    "d/.*/**",
    "**/.h/*",
    "d/*/*",
    "**/**/a*",
)


@pytest.mark.parametrize("pattern", GLOBS)
def test_a_glob_matches_as_python_s_do(pattern: str) -> None:
    write("a.txt", "d/a.txt", "d/x/b.md", "d/x/x/a.txt", "d/.h/a.txt", "d/x/.h/b.txt", ".h/c")
    matched = map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207
    files = {file for path in matched for file in (path, *path.rglob("*")) if file.is_file()}
    hidden = {file for file in files if "/." in f"/{file}" and "/." not in f"/{pattern}"}
    assert sorted(map(Path, selected(pattern))) == sorted(files - hidden)


def test_a_glob_for_all_depths_follows_links_but_not_around_in_circles() -> None:
    write("d/a.txt", "e/b.txt")
    for name in ("one", "two", "three"):
        Path("d", name).symlink_to("../d")
    Path("d/out").symlink_to("../e")
    assert selected("d/**") == ["d/a.txt", "d/out/b.txt"]
    assert selected("**/b*") == ["e/b.txt"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file() -> None:
    write("[a].txt", "a.txt")
    assert selected("[a].txt") == ["[a].txt"]


@pytest.mark.parametrize("corpus", ["missing.txt", "missing/", "*.nothing", "no/**/where"])
def test_what_is_not_there_is_an_error(corpus: str) -> None:
    with pytest.raises(CorpusError, match="no such file or folder"):
        select([corpus])


@pytest.mark.parametrize("corpus", ["link.txt", "*.txt", "."])
def test_a_link_to_nowhere_is_an_error_that_names_it(corpus: str) -> None:
    Path("link.txt").symlink_to("gone")
    (source,) = select([corpus]).sources
    with pytest.raises(CorpusError, match=r"^link\.txt: cannot be read: No such file"):
        list(read(source, TextConfig()))


def test_one_missing_argument_among_others_is_an_error() -> None:
    write("a.txt")
    with pytest.raises(CorpusError, match=r"^b\.txt: "):
        select(["a.txt", "b.txt"])


def test_a_dash_is_standard_input() -> None:
    write("a.txt")
    selection = select(["-", "a.txt"])
    assert selection.sources == (Source(None), Source(Path("a.txt")))
    assert selection.sources[0].name == "standard input"
    assert run_name(["-", "a.txt"]) == "stdin"


def test_a_location_holds_from_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.txt", "elsewhere/b.txt")
    location = Source(Path("a.txt")).location
    monkeypatch.chdir("elsewhere")
    assert Path(location).read_bytes() == b"text\n"


NAMES = [
    (["poems.txt"], "poems"),
    (["poems.txt.gz"], "poems"),
    (["d/poems.v2.txt"], "poems.v2"),
    (["d"], "d"),
    (["d/"], "d"),
    (["d/."], "d"),
    (["e/f/.."], "e"),
    (["v1.5"], "v1.5"),
    (["link.txt"], "poems"),
    ([".notes"], "notes"),
    (["*.txt"], "here"),
    (["poem?.txt"], "poems"),
    (["d/*"], "d"),
    (["e/**"], "e"),
    (["e/**/*.txt"], "e"),
    (["**/*.txt"], "here"),
    (["d/a.txt", "d/b.txt"], "d"),
    (["e/f/a.txt", "e/g/b.txt"], "e"),
    (["poems.txt", "d/a.txt"], "here"),
    (["d", "d/a.txt"], "d"),
    (["poems.txt", "./poems.txt"], "poems"),
    (["e/f", "e/g"], "e"),
    (["-"], "stdin"),
    (["-", "poems.txt"], "stdin"),
    (["poems.txt", "-"], "poems"),
    (["a\tb\udcff.txt"], "a_b_"),
    (["./-x.txt"], "x"),
    (["nowhere.txt"], "nowhere"),
    (["/", "d"], "corpus"),
    ([], REFERENCE_NAME),
]


@pytest.mark.parametrize(("corpus", "name"), NAMES)
def test_a_run_is_called_after_its_file_or_the_folder_of_its_files(
    corpus: list[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("here").mkdir()
    monkeypatch.chdir("here")
    write("poems.txt", "poems.txt.gz", "d/poems.v2.txt", "d/a.txt", "d/b.txt", ".notes", "-x.txt")
    write("e/f/a.txt", "e/g/b.txt", "v1.5/a.txt", "a\tb\udcff.txt")
    Path("link.txt").symlink_to("poems.txt")
    assert run_name(corpus) == name


def test_without_a_text_english_is_learnt() -> None:
    selection = select([])
    (source,) = selection.sources
    text = "".join(read(source, TextConfig()))
    assert selection.is_default
    assert not selection.skipped
    assert 300_000 < len(text) < 1_000_000
    assert text.count(" the ") > len(text) / 200
    assert "topics = {" not in text
    assert "\\n" not in text[:10_000]


def test_a_pipe_is_not_looked_into_before_it_is_read() -> None:
    text = b"x" * 20_000
    out, into = os.pipe()
    os.write(into, text)
    os.close(into)
    selection = select([f"/dev/fd/{out}"])
    with selection.sources[0].open() as stream:
        assert stream.read() == text
    assert run_name([f"/dev/fd/{out}"]) == "stdin"
    os.close(out)


def test_links_to_folders_are_followed_once() -> None:
    Path("d/sub").mkdir(parents=True)
    Path("d/sub/a.txt").write_text("a", encoding="utf-8")
    Path("d/loop").symlink_to(Path("d").resolve())
    Path("e").mkdir()
    Path("e/link").symlink_to(Path("d/sub").resolve())
    assert [source.name for source in select(["d"]).sources] == ["d/sub/a.txt"]
    assert [source.name for source in select(["e"]).sources] == ["e/link/a.txt"]


# -- What is not taken ---------------------------------------------------------------------


def test_every_file_is_read_once_however_often_it_is_named_or_linked() -> None:
    write("d/a.txt", "d/b.txt")
    Path("d/c.txt").symlink_to("a.txt")
    Path("d/d.txt").hardlink_to("d/b.txt")
    selection = select([".", "d/a.txt", Path("d/a.txt").resolve()])
    assert [source.name for source in selection.sources] == ["d/a.txt", "d/b.txt"]
    assert selection.skipped[REPEATED][:2] == ["d/c.txt", "d/d.txt"]
    assert len(select(["-", "-"]).sources) == 1


def test_a_named_binary_file_is_taken_though_its_folder_is_named_too() -> None:
    write("d/a.txt")
    write("d/picture.png", data=b"\0")
    assert selected("d", "d/../d/picture.png") == ["d/a.txt", "d/picture.png"]


def test_what_is_no_regular_file_is_left_out_of_folders_and_globs() -> None:
    write("d/a.txt")
    os.mkfifo("d/pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("d/socket")
        for corpus in ("d", "d/*"):
            selection = select([corpus], TextConfig(bytes=True))
            assert [source.name for source in selection.sources] == ["d/a.txt"]
            assert selection.skipped == {SPECIAL: ["d/pipe", "d/socket"]}


def test_a_file_called_like_standard_input_is_that_file() -> None:
    write("d/-")
    Path("d").rename("e")
    write("-")
    assert selected("?") == ["-", "e/-"]
    assert all(source.path for source in select(["?"]).sources)


@pytest.mark.parametrize("corpus", [".", "*", "**"])
def test_folders_to_be_left_out_are_left_out_wherever_they_are(corpus: str) -> None:
    write("a.txt", "d/run/corpus.json", "d/run/deeper/b.txt", "d/c.txt", "run/history.csv")
    selection = select([corpus], left_out=lambda folder: folder.name == "run")
    assert [source.name for source in selection.sources] == ["a.txt", "d/c.txt"]
    assert set(selection.skipped) <= {RUNS, REPEATED}
    assert set(selection.skipped[RUNS]) >= {"run"}


def test_undecodable_files_are_left_out_if_asked_and_named() -> None:
    write("d/a.txt", "e.txt")
    write("d/far.txt", data=b"x" * 100_000 + b"\xff")
    write("d/latin.txt", "f.txt", data="é".encode("latin-1"))
    write("d/nul.txt", data=b"x" * 100_000 + b"\0")
    corpus = ["d", "e.txt", "f.txt"]
    selection = select(corpus, TextConfig(skip_undecodable=True))
    assert [source.name for source in selection.sources] == ["d/a.txt", "e.txt"]
    assert selection.skipped == {UNDECODABLE: ["d/far.txt", "d/latin.txt", "d/nul.txt", "f.txt"]}
    assert len(select(corpus).sources) == 6
    assert len(select(corpus, TextConfig(skip_undecodable=True, bytes=True)).sources) == 6


def test_a_corpus_of_undecodable_files_alone_is_an_error() -> None:
    write("a.txt", data=b"\xff")
    with pytest.raises(CorpusError, match=r"^a\.txt: no file can be decoded; .*`encoding`"):
        select(["a.txt"], TextConfig(skip_undecodable=True))


def test_a_damaged_file_is_not_left_out_as_undecodable() -> None:
    write("a.txt.gz", data=b"no gzip")
    with pytest.raises(CorpusError, match=r"^a\.txt\.gz: "):
        select(["a.txt.gz"], TextConfig(skip_undecodable=True))


@pytest.mark.parametrize("function", [select, run_name])
@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("", "empty name"),
        (b"", "empty name"),
        ("a\0b", "NUL"),
        (None, "^None: is not a path"),
        (7, "^7: is not a path"),
        ("x" * 5000, "cannot be read: File name too long"),
        ("x/" * 3000, "cannot be read: File name too long"),
    ],
)
def test_what_cannot_be_a_path_is_refused(
    function: Callable[[list[Any]], object], argument: Any, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        function([argument])


def test_a_path_may_be_given_as_bytes() -> None:
    write("a.txt", "\udcff.txt")
    assert [s.name for s in select([b"a.txt", b"\xff.txt"]).sources] == ["a.txt", "\udcff.txt"]  # type: ignore[list-item]


def test_a_link_to_itself_is_an_error_that_names_it() -> None:
    Path("loop").symlink_to("loop")
    write("a.txt")
    assert run_name(["loop"]) == "loop"
    for corpus in ("loop", "."):
        source = select([corpus]).sources[-1]
        with pytest.raises(CorpusError, match=r"^loop: cannot be read: Too many levels"):
            list(read(source, TextConfig()))
