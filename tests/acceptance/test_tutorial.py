"""docs/tutorial.md runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.paths import REPOSITORY
from tests.support.ports import free_port

TUTORIAL = REPOSITORY / "docs/tutorial.md"
STRICT = "set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n"
#: A reader waits by eye.
READY = "until grep -q '^ready' up.log; do kill -0 $!; sleep 0.2; done\n"


def test_the_tutorial_runs_as_it_stands_and_its_router_spreads_the_prompts(tmp_path: Path) -> None:
    start, *blocks = re.findall(r"```sh\n(.*?)```", TUTORIAL.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 8
    script = STRICT + start + READY + "".join(blocks)
    ports = {f"WAYBILL_{name}__PORT": str(free_port()) for name in ("FLOWER", "API")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, **ports, "PATH": path, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr + (tmp_path / "up.log").read_text("utf-8")
    assert len((tmp_path / "results.jsonl").read_text("utf-8").splitlines()) == 600
    assert "of 1,080 pairs, 3 judges" in ran.stdout + ran.stderr
    last = ran.stdout.partition("latency")[2]
    assert {name for name in ("sim-coder", "sim-large", "sim-writer") if name in last}
    assert re.search(r"succeeded 300\s+failed 0", ran.stdout)
