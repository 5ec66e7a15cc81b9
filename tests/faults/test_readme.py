"""The README's commands run as they stand, in its order, on simulated models."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from workers.demo.data.labelled import LABELLED_PATH
from workers.demo.data.prompts import write_prompts

#: a sample of a twentieth is labelled
PROMPTS = 2_000
#: what the README means for another machine or another day
_ELSEWHERE = re.compile(r"waybill (worker|flower|init|up$)|next-router")
_NOT_SHOWN = r"is not better for sure: .*more labels|may not be better: .*label about"
_PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def _commands() -> list[str]:
    """Return the commands of the README in its order, without remarks."""
    lines = (REPOSITORY / "README.md").read_text("utf-8").splitlines()
    shown = [line.strip().partition("  #")[0].strip() for line in lines if line.startswith("    waybill ")]
    return [line for line in shown if not _ELSEWHERE.search(line)]


pytestmark = pytest.mark.skipif("FAULTS" not in os.environ, reason="four minutes: of `make faults`")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with the files that the README names, in which `waybill up --simulate` runs."""
    prompts = (json.dumps({"prompt": prompt.text}) for prompt in islice(write_prompts(5), PROMPTS))
    (tmp_path / "prompts.jsonl").write_text("\n".join(prompts) + "\n", "utf-8")
    rows = LABELLED_PATH.read_bytes().splitlines(keepends=True)
    (tmp_path / "labelled.jsonl.gz").write_bytes(gzip.compress(b"".join(rows[:300])))
    (tmp_path / "held_out.jsonl.gz").write_bytes(gzip.compress(b"".join(rows[300:])))
    up, *_ = _commands()
    assert up.endswith("&")
    ports = {f"WAYBILL_{name}__PORT": str(free_port()) for name in ("FLOWER", "API")}
    environment = {**os.environ, **ports, "PATH": _PATH}
    with (tmp_path / "up.log").open("wb") as log:
        command = ["bash", "-c", f"exec {up.removesuffix('&')}"]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: "ready:" in (tmp_path / "up.log").read_text("utf-8"), timeout_s=600)
        yield tmp_path
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(300)


def test_the_commands_of_the_readme_run_as_they_stand(folder: Path) -> None:
    _, *commands = _commands()
    assert {line.split()[1] for line in commands} >= {
        "submit",
        "results",
        "train",
        "evaluate",
        "collect",
        "judge",
    }
    batch, output = "", {}
    for command in commands:
        line = command.replace("BATCH", batch)
        ran = subprocess.run(
            ["bash", "-c", line], cwd=folder, env={**os.environ, "PATH": _PATH, "COLUMNS": "80"},
            capture_output=True, text=True, timeout=1_800, check=False,
        )  # fmt: skip
        # So few labels may not show that a router is better: then it is refused, with advice.
        is_refused = "--if-better" in line and re.search(_NOT_SHOWN, ran.stderr)
        assert ran.returncode == (1 if is_refused else 0), (line, ran.stdout, ran.stderr)
        output[command] = ran.stdout + ran.stderr
        batch = next(reversed(re.findall(r"^batch_\w+$", ran.stdout, re.MULTILINE)), batch)
    assert len((folder / "results.jsonl").read_text("utf-8").splitlines()) == PROMPTS
    assert (folder / "errors.jsonl").read_text("utf-8") == ""
    [evaluated] = [text for command, text in output.items() if command.startswith("waybill evaluate")]
    assert "This router (policy saving) is better by " in evaluated
    [promoted] = [text for command, text in output.items() if command.startswith("waybill promote")]
    assert re.search(rf"^[0-9a-f]{{12}} routes$|{_NOT_SHOWN}", promoted, re.MULTILINE)
