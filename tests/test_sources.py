"""What the user names: files, folders, globs, standard input, or nothing."""

import gzip
import os
import sysconfig
from pathlib import Path

import pytest

from charrnn.config import TextConfig
from charrnn.errors import CorpusError
from charrnn.text.opening import Source
from charrnn.text.reading import read
from charrnn.text.sources import STANDARD_LIBRARY, select

TESTS_AND_INSTALLED = {"test", "tests", "idle_test", "site-packages", "dist-packages"}


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
    assert selection.skipped == (Path("d/packed.gz"), Path("d/sub/picture.png"))


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
    assert selection.skipped == (Path("d/sub/picture.png"),)


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
    assert selection.name == "stdin"


def test_a_location_holds_from_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.txt", "elsewhere/b.txt")
    location = Source(Path("a.txt")).location
    monkeypatch.chdir("elsewhere")
    assert Path(location).read_bytes() == b"text\n"


@pytest.mark.parametrize(
    ("corpus", "name"),
    [
        ("poems.txt", "poems"),
        ("poems.txt.gz", "poems"),
        ("d/poems.v2.txt", "poems.v2"),
        ("d", "d"),
        ("d/", "d"),
        ("d/.", "d"),
        (".notes", "notes"),
        ("*.txt", "corpus"),
        ("poem?.txt", "poem"),
    ],
)
def test_the_first_argument_names_the_run(corpus: str, name: str) -> None:
    write("poems.txt", "poems.txt.gz", "d/poems.v2.txt", ".notes")
    Path("poems.txt.gz").write_bytes(gzip.compress(b"text"))
    assert select([corpus, "poems.txt"]).name == name


def test_the_default_is_the_standard_library_without_its_tests() -> None:
    selection = select([])
    root = Path(sysconfig.get_paths()["stdlib"])
    paths = [source.path for source in selection.sources]
    assert selection.name == STANDARD_LIBRARY
    assert selection.skipped == ()
    assert sum(path.stat().st_size for path in paths if path) > 5_000_000
    inner = [path.relative_to(root) for path in paths if path]
    assert Path("os.py") in inner
    assert Path("json/decoder.py") in inner
    assert {path.suffix for path in inner} == {".py"}
    assert not {part for path in inner for part in path.parts} & TESTS_AND_INSTALLED
    assert inner == sorted(inner)


def test_the_standard_library_reads_as_text() -> None:
    characters = sum(
        len(chunk) for source in select([]).sources for chunk in read(source, TextConfig())
    )
    assert characters > 5_000_000


def test_a_pipe_is_not_looked_into_before_it_is_read() -> None:
    text = b"x" * 20_000
    out, into = os.pipe()
    os.write(into, text)
    os.close(into)
    selection = select([f"/dev/fd/{out}"])
    with selection.sources[0].open() as stream:
        assert stream.read() == text
    assert selection.name == "stdin"
    os.close(out)


def test_links_to_folders_are_followed_once() -> None:
    Path("d/sub").mkdir(parents=True)
    Path("d/sub/a.txt").write_text("a", encoding="utf-8")
    Path("d/loop").symlink_to(Path("d").resolve())
    Path("e").mkdir()
    Path("e/link").symlink_to(Path("d/sub").resolve())
    assert [source.name for source in select(["d"]).sources] == ["d/sub/a.txt"]
    assert [source.name for source in select(["e"]).sources] == ["e/link/a.txt"]
