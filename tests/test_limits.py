"""A limit under which TensorFlow would end the process is told before it is imported."""

import resource

import pytest

from charrnn.errors import CharrnnError
from charrnn.tf import limits
from charrnn.tf.limits import check_address_space


@pytest.fixture
def limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's limit of address space, in bytes, on a machine with two cores."""
    monkeypatch.setattr(limits.sys, "platform", "linux")
    monkeypatch.setattr(limits.os, "sched_getaffinity", lambda process: {0, 1}, raising=False)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (request.param, -1))


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize("limit", [resource.RLIM_INFINITY, 3_000_000_000], indirect=True)
def test_enough_address_space() -> None:
    check_address_space()


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize("limit", [0, 1_500_000_000], indirect=True)
def test_too_little_address_space_is_refused_with_the_way_out() -> None:
    with pytest.raises(
        CharrnnError, match=r"^TensorFlow needs 2\.9 GB .*; .* ulimit -v unlimited$"
    ):
        check_address_space()


@pytest.mark.parametrize("limit", [0], indirect=True)
def test_another_system_is_not_asked(limit: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.sys, "platform", "darwin")
    check_address_space()
