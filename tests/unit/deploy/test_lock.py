"""What is installed is pinned, with hashes."""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import REPOSITORY

ADVICE = "pin it in requirements.lock, then run: python deploy/lock.py (pip install uv)"


def pins(name: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([\w.+]+)", (REPOSITORY / name).read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}


def test_the_hashes_are_those_of_the_pinned_releases() -> None:
    hashed = pins("requirements.hashes") | pins("requirements-dev.hashes")
    locked = pins("requirements.lock")
    # torch has one hash for each of its builds: CPU, CUDA.
    assert {name: version for name, version in locked.items() if name != "torch"} == hashed, ADVICE


def test_no_release_is_needed_by_both_and_tools_are_not_what_waybill_runs_with() -> None:
    runtime, tools = pins("requirements.hashes"), pins("requirements-dev.hashes")
    assert runtime.keys() & tools.keys() == set()
    assert {"celery", "litellm", "alembic", "setuptools"} <= runtime.keys()
    assert {"pytest", "ruff", "mypy"} <= tools.keys()


def needs(name: str, extra: str) -> Iterator[Requirement]:
    """What an installed distribution with one of its extras, or with "", asks for here."""
    try:
        lines = requires(name) or []
    except PackageNotFoundError:  # for another platform
        return
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def test_the_pins_are_what_they_ask_of_each_other_extras_included() -> None:
    # `pip check` does not look at extras: a lock without conflicts by it has failed to install.
    locked, seen, conflicts = pins("requirements.lock"), set(), []
    waiting = [("waybill", extra) for extra in ("", "all", "dev")]
    while waiting:
        asking = waiting.pop()
        for needed in needs(*asking):
            name = canonicalize_name(needed.name)
            if name in locked and not needed.specifier.contains(locked[name], prereleases=True):
                conflicts.append(f"{asking[0]}[{asking[1]}] asks for {needed}, not {locked[name]}")
            waiting += {(name, one) for one in {"", *needed.extras}} - seen
            seen |= set(waiting)
    assert conflicts == []


def test_what_only_the_oldest_python_needs_is_pinned_too() -> None:
    """Debian 12 has Python 3.11.2; with 3.11.3 redis needs one package less."""
    oldest = {"python_version": "3.11", "python_full_version": "3.11.0", "extra": ""}
    locked = pins("requirements.hashes")
    for name in locked:
        with contextlib.suppress(PackageNotFoundError):
            asked = [Requirement(line) for line in requires(name) or []]
            needed = {
                canonicalize_name(one.name) for one in asked if one.marker and one.marker.evaluate(oldest)
            }
            assert needed <= locked.keys() | {"torch"}, f"{name}: {ADVICE}"


def test_torch_can_be_checked_as_well() -> None:
    assert pins("requirements-torch.hashes") == {"torch": pins("requirements.lock")["torch"]}


@pytest.mark.parametrize(
    "name", ["requirements.hashes", "requirements-dev.hashes", "requirements-torch.hashes"]
)
def test_every_pin_has_a_hash(name: str) -> None:
    text = (REPOSITORY / name).read_text()
    entries = [entry for entry in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if "==" in entry]
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_what_the_project_needs_is_pinned() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    asked = [*project["dependencies"], *(line for lines in extras for line in lines)]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~ ;]", line)[0]).lower() for line in asked} - {
        "waybill"
    }
    assert names <= pins("requirements.lock").keys(), ADVICE
