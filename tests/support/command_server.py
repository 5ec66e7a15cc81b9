"""`python -m tests.support.command_server`: runs commands as forks, which need not load their modules.

A line of JSON on stdin is a command: its arguments, folder and environment, and the files for its standard
streams. The answers are two lines on stdout: the process id at once, and the exit status at its end.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

#: what most commands load, and what is heavy; nothing that reads its environment when it is loaded
_MODULES = (
    "alembic.command", "alembic.runtime.migration", "alembic.script", "sqlalchemy.dialects.sqlite",
    "tasks.settings", "tasks.store.schema", "tasks.store.progress", "tasks.submission.submit",
    "workers.cli.application", "typer.rich_utils", "rich.table",
)  # fmt: skip


def main() -> None:
    """Serve until stdin ends; in a fork, run its command."""
    for module in _MODULES:
        importlib.import_module(module)
    while line := sys.stdin.readline():
        asked = json.loads(line)
        pid = os.fork()
        if not pid:
            _become(asked)
            return
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _become(asked: dict[str, Any]) -> None:
    """Turn this process into that of the command, and run it; it ends as every process does."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    for number, name in enumerate(asked["files"]):
        file = os.open(name, os.O_WRONLY if number else os.O_RDONLY)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["waybill", *asked["arguments"]]
    from workers.cli import main as command

    command()


if __name__ == "__main__":
    main()
