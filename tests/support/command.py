"""The `waybill` command as a child process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

COMMAND = (sys.executable, "-m", "workers.cli")


def waybill(
    *arguments: str,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout_s: float = 480,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end.

    Args:
        *arguments: The command's words.
        cwd: The folder in which it runs.
        environment: Environment variables on top of those of this process.
        stdin: What it reads from its standard input.
        timeout_s: How long it may take.
    """
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def assert_exit(ended: subprocess.CompletedProcess[str], status: int) -> None:
    """Check the exit status; a failure shows what was written to stderr."""
    assert ended.returncode == status, f"{ended.args}: {ended.stderr}"
