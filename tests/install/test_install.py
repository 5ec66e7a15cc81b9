"""What people install: the wheel with its extras in an empty environment (`make test-dist`, minutes)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY
from tests.support.ports import free_port
from tests.support.waiting import wait_until

EXTRAS = os.environ.get("EXTRAS", "all")
_TIMEOUT_S = 3_000
pytestmark = pytest.mark.timeout(2 * _TIMEOUT_S)


def done(*command: str | Path, cwd: Path, environment: dict[str, str]) -> str:
    """Run a command to its end and return its stdout."""
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-8000:]
    return ran.stdout


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """The environment of somebody who has nothing of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WAYBILL", "PYTHON"))}
    ports = {f"WAYBILL_{name}__PORT": str(free_port()) for name in ("FLOWER", "API")}
    return {**kept, **ports, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, REPOSITORY)
    done(*build, cwd=folder, environment=environment)
    done(sys.executable, REPOSITORY / "deploy/check_dist.py", folder, cwd=folder, environment=environment)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """The folder of commands of a new environment with the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    done(sys.executable, "-m", "venv", folder, cwd=folder, environment=environment)
    lock = ("--constraint", REPOSITORY / "requirements.lock")
    done(
        folder / "bin/pip",
        "install",
        "--quiet",
        *lock,
        f"{wheel}[{EXTRAS}]",
        cwd=folder,
        environment=environment,
    )
    return folder / "bin"


def test_the_command_and_the_package_are_there_with_their_types(
    installed: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    assert done(installed / "waybill", "--version", cwd=tmp_path, environment=environment).strip()
    shown = done(
        installed / "python",
        "-c",
        "import waybill; print(waybill.__file__)",
        cwd=tmp_path,
        environment=environment,
    )
    package = Path(shown.strip())
    assert package.is_relative_to(installed.parent)
    assert (package.parent / "py.typed").exists()


@pytest.fixture
def running(installed: Path, tmp_path: Path, environment: dict[str, str]) -> Iterator[Path]:
    """A folder in which `waybill up --simulate` runs."""
    log = tmp_path / "up.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(installed / "waybill"), "up", "--simulate"], cwd=tmp_path, env=environment, stderr=stream
        )
    try:
        wait_until(lambda: process.poll() is not None or "\nready" in log.read_text("utf-8"), timeout_s=600)
        assert process.poll() is None, log.read_text("utf-8")
        yield tmp_path
    finally:
        process.terminate()
        process.wait(300)


def test_a_batch_is_answered(installed: Path, running: Path, environment: dict[str, str]) -> None:
    (running / "prompts.txt").write_text("What is 2 + 2?\nName a prime.\n")
    command = installed / "waybill"
    done(command, "doctor", cwd=running, environment=environment)
    batch = done(command, "submit", "prompts.txt", "--wait", cwd=running, environment=environment).strip()
    answers = done(command, "results", batch, cwd=running, environment=environment)
    assert [json.loads(line)["response"]["status_code"] for line in answers.splitlines()] == [200, 200]
