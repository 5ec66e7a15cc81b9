"""Each fault against real workers, a real Redis and both databases: `make faults`; a short set by default."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.faults import nemesis, results
from tests.faults.catalogue import ALL
from tests.faults.fault_environment import FaultEnvironment, open_world
from tests.faults.nemesis import Fault
from tests.support.stores import PostgresServer

#: FAULTS=all runs everything, FAULTS=word,word only what has one of the words (regular expressions) in its
#: name, which ends in " on sqlite" or " on postgresql"
CHOICE = os.environ.get("FAULTS", "quick")
SEED = os.environ.get("FAULTS_SEED", "1")
_DISK_BYTES = 400 * 2**20


def chosen(fault: Fault, kind: str) -> bool:
    if CHOICE == "quick":
        return kind in fault.quick
    return CHOICE == "all" or any(re.search(word, f"{fault.id} on {kind}") for word in CHOICE.split(","))


def cases() -> list[object]:
    return [
        pytest.param(kind, fault.short if CHOICE == "quick" else fault, id=f"{fault.id} on {kind}")
        for kind in nemesis.BOTH
        for fault in ALL
        if kind in fault.stores and chosen(fault, kind)
    ]


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of its own for the store; just a folder where none may be mounted.

    Not among pytest's folders: another run of pytest would take PostgreSQL's rights on them.
    """
    folder = Path(tempfile.mkdtemp(prefix="waybill-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES},mode=755", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True).returncode == 0
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultEnvironments]:
    with FaultEnvironments(tmp_path_factory) as opened:
        yield opened


class FaultEnvironments:
    """The world on one database, kept for all its faults, then replaced by that on the other."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders, self._services = folders, ExitStack()
        self._world: FaultEnvironment | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._services.close()
        self._world = None

    def get(self, kind: str) -> FaultEnvironment:
        if self._world is None or self._world.kind != kind:
            self.close()
            self._world = self._open(kind)
        return self._world

    def logs(self) -> dict[str, str]:
        """What the world's processes have said, its database server included."""
        return self._world.logs() if self._world else {}

    def _open(self, kind: str) -> FaultEnvironment:
        disk = self._services.enter_context(small_disk())
        server = PostgresServer(disk / "pg", survives=True) if kind == "postgresql" else None
        if server is not None:
            self._services.enter_context(server)
        return self._services.enter_context(
            open_world(kind, self._folders.mktemp(kind), disk, postgres=server)
        )


@pytest.mark.parametrize(("kind", "fault"), cases())
@pytest.mark.timeout(420)
def test_nothing_is_lost_doubled_or_overspent(worlds: FaultEnvironments, kind: str, fault: Fault) -> None:
    try:
        verdict = nemesis.run(fault, worlds.get(kind), seed=int(SEED))
    except BaseException as error:
        if not isinstance(error, pytest.skip.Exception):
            results.note(fault, kind, results.broke_off(error))
            results.keep(fault, kind, error, worlds.logs())
        worlds.close()  # what it left undone must not befall the next one
        raise
    results.note(fault, kind, verdict)
    if verdict.problems:
        results.keep(fault, kind, verdict, worlds.logs())
    assert not verdict.problems, verdict
