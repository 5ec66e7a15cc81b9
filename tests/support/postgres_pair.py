"""A PostgreSQL primary on a port of its own with a replica by streaming, which can be promoted."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

from tests.support.ports import free_port
from tests.support.stores import PostgresServer
from tests.support.waiting import wait_until

_WAIT_S = 240.0
_DATABASE = "waybill"


class PostgresPair:
    """A primary and its replica; `url` names both.

    Args:
        server: A server whose start has made the programs runnable for a user who is not root.
        synchronous: Whether a commit waits until the replica has it on its disk.
    """

    def __init__(self, server: PostgresServer, *, synchronous: bool) -> None:
        self._server = server
        self._folder = Path(tempfile.mkdtemp(prefix="waybill-pg-pair-"))
        self._ports = (free_port(), free_port())
        self._synchronous = synchronous

    def empty_database(self) -> str:
        """The URL of its database, which has no tables at first."""
        return self.url

    @property
    def url(self) -> str:
        first, second = self._ports
        return f"postgresql://postgres@127.0.0.1:{first},127.0.0.1:{second}/{_DATABASE}"

    def await_replica(self) -> None:
        """Wait until the replica has received all that is committed."""
        end = self._one(0, "SELECT pg_current_wal_lsn()::text")
        query = f"SELECT pg_last_wal_receive_lsn() >= '{end}'::pg_lsn"
        wait_until(lambda: self._one(1, query), timeout_s=_WAIT_S)

    def part_replica(self) -> None:
        """Let the replica receive nothing any more; what is committed from now on, it never gets."""
        self._execute(1, "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
        wait_until(lambda: not self._one(1, "SELECT count(*) FROM pg_stat_wal_receiver"), timeout_s=_WAIT_S)

    def commits_wait(self) -> bool:
        """Return whether a commit waits for the replica."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        return bool(self._one(0, query))

    def kill_primary(self) -> None:
        self._kill(0)

    def promote(self) -> None:
        """Make the replica the primary."""
        self._run("pg_ctl", "promote", "-D", self._data(1))
        wait_until(lambda: not self._one(1, "SELECT pg_is_in_recovery()"), timeout_s=_WAIT_S)
        # Nobody replicates from it yet: a synchronous one would wait for ever.
        self._execute(1, "ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")

    def log(self) -> str:
        return "\n".join((self._folder / f"{number}.log").read_text(errors="replace") for number in (0, 1))

    def __enter__(self) -> Self:
        if self._server.system_user is not None:
            owner = pwd.getpwnam(self._server.system_user)
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", self._data(0))
        self._start(0)
        self._execute(0, f"CREATE DATABASE {_DATABASE}")
        source = ("-h", "127.0.0.1", "-p", str(self._ports[0]), "-U", "postgres")
        self._run("pg_basebackup", *source, "-R", "--checkpoint=fast", "-D", self._data(1))
        self._start(1)
        wait_until(lambda: self._one(0, "SELECT count(*) FROM pg_stat_replication"), timeout_s=_WAIT_S)
        if self._synchronous:
            self._execute(0, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
            query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
            wait_until(lambda: self._one(0, query), timeout_s=_WAIT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (0, 1):
            self._kill(number)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _data(self, number: int) -> str:
        return str(self._folder / str(number))

    def _start(self, number: int) -> None:
        # fsync: nothing here outlives a power cut.
        options = (
            f"-h 127.0.0.1 -p {self._ports[number]} -k {self._folder} -c fsync=off -c max_connections=100"
        )
        log = str(self._folder / f"{number}.log")
        self._run("pg_ctl", "-w", "-o", options, "-l", log, "-D", self._data(number), "start")

    def _kill(self, number: int) -> None:
        """Send SIGKILL to every process of a server."""
        pid_file = self._folder / str(number) / "postmaster.pid"
        with suppress(FileNotFoundError, psutil.NoSuchProcess):
            postmaster = psutil.Process(int(pid_file.read_text().split()[0]))
            postmaster.send_signal(signal.SIGSTOP)  # so that it starts no more children
            family = [postmaster, *postmaster.children(recursive=True)]
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(family, timeout=30)

    def _run(self, command: str, *arguments: str) -> None:
        self._server.run(command, *arguments, folder=self._folder)

    def _execute(self, number: int, *statements: str) -> None:
        with self._connect(number) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def _one(self, number: int, query: str) -> Any:
        with self._connect(number) as connection:
            return connection.execute(query.encode()).fetchone()[0]  # type: ignore[index]

    def _connect(self, number: int) -> psycopg.Connection[Any]:
        url = f"postgresql://postgres@127.0.0.1:{self._ports[number]}/postgres"
        return psycopg.connect(url, autocommit=True)
