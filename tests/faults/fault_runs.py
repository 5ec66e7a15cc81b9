"""Runs of faults: the environments they share, and the record of each run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, Self

import pytest

from tests.faults import nemesis, results
from tests.faults.fault_environment import FaultEnvironment, open_environment
from tests.faults.nemesis import Fault, FaultResult
from tests.support.stores import PostgresServer

_DISK_BYTES = 400 * 2**20


class Environments(Protocol):
    """What a run needs of the environments."""

    def get(self, kind: str) -> FaultEnvironment:
        """Return the environment on this database."""

    def logs(self) -> dict[str, str]:
        """Return what the environment's processes have logged."""

    def close(self) -> None:
        """Close the environment, so that the next `get` opens another."""


class FaultEnvironments:
    """The environment on one database, kept for all its faults, then replaced by one on the other."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders, self._services = folders, ExitStack()
        self._environment: FaultEnvironment | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the environment, if one is open."""
        self._services.close()
        self._environment = None

    def get(self, kind: str) -> FaultEnvironment:
        """Return the environment on this database, opened if need be."""
        if self._environment is None or self._environment.kind != kind:
            self.close()
            self._environment = self._open(kind)
        return self._environment

    def logs(self) -> dict[str, str]:
        """Return what the environment's processes have logged, its database server included."""
        return self._environment.logs() if self._environment else {}

    def _open(self, kind: str) -> FaultEnvironment:
        disk = self._services.enter_context(small_disk())
        server = PostgresServer(disk / "pg", survives=True) if kind == "postgresql" else None
        if server is not None:
            self._services.enter_context(server)
        return self._services.enter_context(
            open_environment(kind, self._folders.mktemp(kind), disk, postgres=server)
        )


@contextmanager
def small_disk() -> Iterator[Path]:
    """Mount a file system of its own for the store; yields just a folder where that is not allowed.

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


def run_and_record(fault: Fault, environments: Environments, kind: str, *, seed: int) -> FaultResult:
    """Run a fault and record its result; what failed is saved with its logs, and an error is raised again."""
    try:
        result = nemesis.run(fault, environments.get(kind), seed=seed)
    except BaseException as error:
        if not isinstance(error, pytest.skip.Exception):
            results.record(fault, kind, results.aborted(error))
            results.save_failure(fault, kind, error, environments.logs())
        environments.close()  # what this run left undone must not disturb the next one
        raise
    results.record(fault, kind, result)
    if result.problems:
        results.save_failure(fault, kind, result, environments.logs())
    return result
