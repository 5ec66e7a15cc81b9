"""The `waybill` command as a child process."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.support.paths import REPOSITORY

COMMAND = (sys.executable, "-m", "workers.cli")
_LOCK = threading.Lock()


def waybill(
    *arguments: str,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout_s: float = 1_200,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a process of its own (`command_server`).

    Args:
        *arguments: The command's words.
        cwd: The folder in which it runs.
        environment: Environment variables on top of those of this process.
        stdin: What it reads from its standard input.
        timeout_s: How long it may take.
    """
    with tempfile.TemporaryDirectory(prefix="waybill-command-") as name:
        files = [Path(name) / stream for stream in ("stdin", "stdout", "stderr")]
        for file, content in zip(files, (stdin or "", "", ""), strict=True):
            file.write_text(content, encoding="utf-8")
        asked = {
            "arguments": arguments,
            "cwd": str(cwd),
            "environment": {**os.environ, **(environment or {})},
            "files": [str(file) for file in files],
        }
        with _LOCK:
            status = _run(asked, timeout_s)
        output, errors = (file.read_text(encoding="utf-8") for file in files[1:])
        return subprocess.CompletedProcess(["waybill", *arguments], status, output, errors)


def _run(asked: Mapping[str, object], timeout_s: float) -> int:
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(asked).encode() + b"\n")
    pid = int(server.stdout.readline())
    if not select.select([server.stdout], [], [], timeout_s)[0]:
        os.kill(pid, signal.SIGKILL)
        server.stdout.readline()
        raise subprocess.TimeoutExpired(str(asked["arguments"]), timeout_s)
    return int(server.stdout.readline())


@cache
def _server() -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.command_server"], cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
    )  # fmt: skip
    atexit.register(server.kill)
    return server


def assert_exit(ended: subprocess.CompletedProcess[str], status: int) -> None:
    """Check the exit status; a failure shows what was written to stderr."""
    assert ended.returncode == status, f"{ended.args}: {ended.stderr}"
