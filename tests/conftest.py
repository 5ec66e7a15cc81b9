"""The services and stores that tests share; each service is started once, on its first use."""

from __future__ import annotations

import os

# Before numpy is loaded: BLAS threads that share two cores with other test processes wait for each other ten
# times longer than they work.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest

# ruff: noqa: E402
# A failing assertion in a helper shows its values, as in a test module. This must precede their import.
pytest.register_assert_rewrite("tests.support", "tests.faults")

from tasks.store.engine import Store
from tests.support.redis_server import RedisServer
from tests.support.stores import PostgresServer, new_sqlite
from workers.simulator import SimulatorProcess, default_config, provider_config

# A busy machine makes one example take half a second: a time tells nothing about the code.
# `make test` takes the same examples each time, so that it fails only by a change; `make fuzz` takes others.
IS_FUZZ = os.environ.get("FUZZ") == "full"
hypothesis.settings.register_profile("waybill", deadline=None, derandomize=not IS_FUZZ)
hypothesis.settings.load_profile("waybill")


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis shared by the session: a test uses keys of its own, or flushes it first."""
    with RedisServer() as server:
        yield server.url


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    """A provider that answers at once and echoes prompts and keys in errors; call `client.reset()` first."""
    with SimulatorProcess(replace(default_config(), latency_scale=0, echo_errors=True)) as process:
        yield process


@pytest.fixture(scope="session")
def providers() -> Iterator[SimulatorProcess]:
    """Models of real providers, under their own protocols (`url_of`); errors echo prompts and keys."""
    with SimulatorProcess(replace(provider_config(), echo_errors=True)) as process:
        yield process


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server shared by the session; each test creates a database of its own on it."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store with empty tables; each test runs on both databases."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        yield (url := server.database())
        server.drop(url)
    else:
        yield new_sqlite(tmp_path / "waybill.db")


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """The store at `store_url`, opened."""
    opened = Store(store_url)
    yield opened
    opened.close()
