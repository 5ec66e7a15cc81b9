"""The unit tests on other Pythons: `make test-python PYTHON="python3.11 python3.13"`.

Each gets a virtual environment of its own in build/, with the pinned packages by their hashes. torch is
installed only where its CPU build is to be had (an index in $PIP_EXTRA_INDEX_URL, or a folder in
$PIP_FIND_LINKS): PyPI's wheels bring gigabytes of CUDA. Without it, the tests that need it are left out.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.paths import REPOSITORY

#: the tests that need torch
_WITHOUT_TORCH = ("--ignore=tests/unit/router_core/embedding",)


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
    has_torch = _run(python, "-m", "pip", "install", "--quiet", f"torch=={_torch()}+cpu") is not None
    return _tested(python, version, has_torch=has_torch)


def _installed(python: str) -> str | None:
    """Install the pinned packages and Waybill itself; returns what could not be installed."""
    pip = (python, "-m", "pip", "install", "--quiet", "--no-deps")
    for name in ("requirements.hashes", "requirements-dev.hashes"):
        if _run(*pip, "--require-hashes", "--only-binary", ":all:", "--requirement", name) is None:
            return f"{name} cannot be installed"
    if _run(*pip, "--no-build-isolation", "--editable", ".") is None:
        return "Waybill cannot be installed"
    return None


def _tested(python: str, version: str, *, has_torch: bool) -> tuple[bool, str]:
    left_out = () if has_torch else _WITHOUT_TORCH
    command = (python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "tests/unit", *left_out)
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    summary = (
        done.stdout.strip().splitlines()[-1] if done.stdout.strip() else f"exit status {done.returncode}"
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    return not done.returncode, f"{version}{'' if has_torch else ', without torch'}: {summary.strip('= ')}"


def _run(*command: str) -> str | None:
    """Return what a command prints; None if it fails, with its errors on stderr."""
    try:
        return subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def _torch() -> str:
    found = re.search(r"^torch==([\d.]+)", (REPOSITORY / "requirements.lock").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [Path(sys.executable).name]))
