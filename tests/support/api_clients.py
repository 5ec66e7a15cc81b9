"""The official clients of the Batch API, each in an environment of its own, and what their calls came to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select, update

from tasks.store.api.tables import api_batch
from tasks.store.tables import batch
from tasks.webhooks import targets
from tests.support import api
from tests.support.api import ApiServer
from tests.support.holding import Hold
from tests.support.paths import REPOSITORY
from tests.support.ports import free_port
from tests.support.repeating import repeating
from tests.support.stack import Stack

SCRIPTS = REPOSITORY / "tests" / "acceptance" / "api" / "clients"
#: environments are kept between runs
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "waybill" / "clients"
_INSTALL_S, _RUN_S = 240, 480


class Results(NamedTuple):
    """The release of a client, and what each of its calls came to."""

    version: str
    calls: dict[str, str]


@dataclass(frozen=True, slots=True)
class ApiClient:
    """A client: what people call it, how its script is run, and the folder in which."""

    name: str
    script: str
    command: Callable[[], tuple[list[str], Path] | None]

    def run(self, stack: Stack, server: ApiServer) -> Results | None:
        """Make every call; returns the results by call, None where the client cannot be installed here."""
        prepared = self.command()
        if prepared is None:
            return None
        command, folder = prepared
        line = [*command, str(SCRIPTS / self.script), server.url]
        with _operated(stack, self.name) as given:
            ended = subprocess.run(
                [*line, *given], cwd=folder, capture_output=True, text=True, timeout=_RUN_S
            )
        assert ended.returncode == 0, ended.stderr
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        return Results(lines[0]["client"], {one["call"]: one["result"] for one in lines})


@contextmanager
def _operated(stack: Stack, name: str) -> Iterator[tuple[str, str, str, str]]:
    """Make a key whose webhooks come to a port; yields the key, the port, the secret and a directive.

    Batches with the window of two hours are over at once. The directive holds answers until their batch is
    cancelled.
    """
    key, port = api.new_key(stack, name), free_port()
    target = targets.set_for_key(stack.store, name, f"http://127.0.0.1:{port}/")
    with Hold(stack.simulator.client) as hold, repeating(lambda: _operate(stack, hold), 0.2):
        yield key, str(port), target.secret, hold.marker


def _operate(stack: Stack, hold: Hold) -> None:
    running = api_batch.c.in_progress_at.is_not(None) & (api_batch.c.completion_window == "2h")
    cancelling = select(func.count()).select_from(batch).where(batch.c.status == "cancelling")
    with stack.store.write() as connection:
        connection.execute(update(api_batch).where(running).values(expires_at=1))
        is_cancelling = connection.execute(cancelling).scalar_one()
    if is_cancelling and (waiting := hold.calls):
        hold.let_go(waiting)


def _here() -> tuple[list[str], Path]:
    return [sys.executable], REPOSITORY


def _openai_3() -> tuple[list[str], Path] | None:
    folder = installed("openai-3", "openai>=3,<4")
    return None if folder is None else ([str(folder / "bin" / "python")], folder)


def installed(name: str, requirement: str) -> Path | None:
    """Return a virtual environment of this name with a package; None if it cannot be made here."""
    folder = _CACHE / name
    if not (folder / "ready").exists():
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        made = _succeeds([sys.executable, "-m", "venv", str(folder)])
        if not made or not _succeeds([*pip, requirement]):
            return None
        (folder / "ready").touch()
    return folder


def _node() -> tuple[list[str], Path] | None:
    folder, npm, node = _CACHE / "node", shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return None
    if not (folder / "ready").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if not _succeeds([npm, "install", "--silent", "--prefix", str(folder), "openai"]):
            return None
        (folder / "ready").touch()
    return [node], folder


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=_INSTALL_S).returncode == 0
    except subprocess.TimeoutExpired:
        return False


CLIENTS = (
    ApiClient("openai for Python", "openai_python.py", _here),
    ApiClient("openai for Python (3)", "openai_python.py", _openai_3),
    ApiClient("openai for Node", "openai_node.mjs", _node),
    ApiClient("LiteLLM", "litellm_python.py", _here),
)
