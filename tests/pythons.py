"""The unit tests on other Pythons: `make test-python PYTHON="python3.11 python3.13"`.

Each gets a virtual environment of its own in build/, with the pinned packages by their hashes. torch is
installed only where its CPU build is to be had (an index in $PIP_EXTRA_INDEX_URL, or a folder in
$PIP_FIND_LINKS): PyPI's wheels bring gigabytes of CUDA. Without it, the tests that need it are left out.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.paths import REPOSITORY

#: by the package that may be missing, how its tests are left out
_NEED = {
    "torch": ("--ignore=tests/unit/router_core/embedding",),
}


def main(interpreters: list[str]) -> int:
    """Run the unit tests on each; returns 1 if any failed."""
    failed = 0
    for name in interpreters:
        passed, text = _tried(name)
        print(f"{name}  {text}", flush=True)
        failed += not passed
    return int(failed > 0)


def _tried(interpreter: str) -> tuple[bool, str]:
    """Return whether the tests passed on an interpreter, and a line that says what happened."""
    shown = _run(interpreter, "-c", "import platform; print(platform.python_version())")
    if shown is None:
        return False, "not found"
    version = shown.strip()
    folder = REPOSITORY / "build" / f"python-{version}"
    python = str(folder / "bin" / "python")
    if _run(interpreter, "-m", "venv", str(folder)) is None:
        return False, f"{version}: no venv module (Debian: apt install python3-venv)"
    if (error := _installed(python)) is not None:
        return False, f"{version}: {error}"
    missing = [name for name in _NEED if not _installed_by_itself(python, name)]
    return _tested(python, version, missing)


def _installed(python: str) -> str | None:
    """Install the pinned packages and Waybill itself; returns what could not be installed."""
    pip = (python, "-m", "pip", "install", "--quiet", "--no-deps")
    hashes = (*pip, "--require-hashes", "--only-binary", ":all:", "--requirement", "/dev/stdin")
    for name in ("requirements.hashes", "requirements-dev.hashes"):
        if _run(*hashes, text=(REPOSITORY / name).read_text()) is None:
            return f"{name} cannot be installed"
    if _run(*pip, "--no-build-isolation", "--editable", ".") is None:
        return "Waybill cannot be installed"
    return None


def _installed_by_itself(python: str, name: str) -> bool:
    """Install a package that may be missing, and return whether it could be had."""
    pin = re.search(rf"^{name}==(.+)$", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE)
    assert pin is not None
    wanted = f"{name}=={pin[1]}" + ("+cpu" if name == "torch" else "")
    command = ("-m", "pip", "install", "--quiet", "--only-binary", ":all:", wanted)
    return _run(python, *command) is not None


def _tested(python: str, version: str, missing: Sequence[str]) -> tuple[bool, str]:
    left_out = [option for name in missing for option in _NEED[name]]
    command = (python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "tests/unit", *left_out)
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    summary = (
        done.stdout.strip().splitlines()[-1] if done.stdout.strip() else f"exit status {done.returncode}"
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    return (
        not done.returncode,
        f"{version}{''.join(f', without {name}' for name in missing)}: {summary.strip('= ')}",
    )


def _run(*command: str, text: str = "") -> str | None:
    """Return what a command prints; None if it fails, with its errors on stderr."""
    try:
        return subprocess.run(
            command, cwd=REPOSITORY, input=text, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [Path(sys.executable).name]))
