"""What acceptance tests share: a trained router."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from router_core.embedding.model_files import DEFAULT_MODEL
from workers.demo.data.labelled import LABELLED_PATH

_ROWS = 200


@pytest.fixture(scope="session")
def router(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A router that `waybill train` made of the demo's labelled prompts, once for all processes."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "training.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "training" / "router").exists():
            _train(folder / "training")
    return folder / "training" / "router"


def _train(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with LABELLED_PATH.open(encoding="utf-8") as lines:
        (folder / "labelled.jsonl").write_text("".join(islice(lines, _ROWS)), encoding="utf-8")
    # A transformer: its vectors are cached, and a static embedder is what `waybill train` takes elsewhere.
    arguments = ["train", "labelled.jsonl", "-o", "router", "--embedder", DEFAULT_MODEL]
    command = [sys.executable, "-m", "workers.cli", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=1_200)
