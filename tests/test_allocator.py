"""The allocator's settings: made where the C library has them, harmless elsewhere."""

import ctypes
import sys
from types import SimpleNamespace

import pytest

from charrnn.cli.process import NEVER, keep_memory


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What a C library with `mallopt` is told."""
    told: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda *setting: told.append(setting))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(sys, "platform", "linux")
    return told


def test_memory_is_neither_mapped_nor_given_back(calls: list[tuple[int, int]]) -> None:
    keep_memory()
    m_trim_threshold, m_mmap_max = -1, -4
    assert {(m_mmap_max, 0), (m_trim_threshold, NEVER)} < set(calls)


def test_another_system_is_left_alone(
    calls: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    keep_memory()
    assert not calls


@pytest.mark.parametrize("library", [SimpleNamespace(), None], ids=["no mallopt", "no library"])
def test_a_c_library_without_mallopt(library: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str | None) -> object:
        if library is None:
            raise OSError(name)
        return library

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", load)
    keep_memory()
