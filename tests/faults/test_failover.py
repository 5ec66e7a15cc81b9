"""A PostgreSQL replica is promoted while a batch runs on real workers: `make faults`, and docs/faults.md."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults import nemesis, results
from tests.faults.fault_environment import IN_FLIGHT, FaultEnvironment, open_environment
from tests.faults.nemesis import Fault
from tests.support.postgres_pair import PostgresPair
from tests.support.stores import PostgresServer

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.timeout(420),
    pytest.mark.skipif(os.environ.get("FAULTS", "quick") == "quick", reason="runs under make faults"),
]
#: how many calls an asynchronous replica never hears of before the primary dies
BEHIND = 20


@contextmanager
def pair_and_environment(
    postgres: PostgresServer, folder: Path, *, synchronous: bool
) -> Iterator[tuple[PostgresPair, FaultEnvironment]]:
    with (
        PostgresPair(postgres, synchronous=synchronous) as pair,
        tempfile.TemporaryDirectory(prefix="waybill-disk-") as disk,
        open_environment("postgresql", folder, Path(disk), postgres=pair) as environment,
    ):
        yield pair, environment


def test_nothing_is_lost_or_paid_again_where_commits_wait_for_the_replica(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    with pair_and_environment(postgres, tmp_path, synchronous=True) as (pair, environment):

        def fails_over(environment: FaultEnvironment) -> Iterator[None]:
            yield
            environment.until_begun()
            pair.kill_primary()
            environment.watch(environment.random.uniform(0.5, 2))
            pair.promote()
            yield

        fault = Fault(name="PostgreSQL primary killed, synchronous replica", number=22, inject=fails_over)
        result = nemesis.run(fault, environment, seed=1)
        results.record(fault, "postgresql", result)
        assert result.problems == {}, result


def test_an_asynchronous_replica_costs_at_most_the_calls_that_it_lacked(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    with pair_and_environment(postgres, tmp_path, synchronous=False) as (pair, environment):
        lacked: list[int] = []

        def fails_over(environment: FaultEnvironment) -> Iterator[None]:
            yield
            environment.until_begun()
            pair.await_replica()
            had = environment.provider.stats()["received"]
            pair.part_replica()
            environment.until(lambda: environment.provider.stats()["received"] >= had + BEHIND)
            pair.kill_primary()
            lacked.append(environment.provider.stats()["received"] - had + 2 * IN_FLIGHT)
            pair.promote()
            yield

        fault = Fault(name="PostgreSQL primary killed, asynchronous replica", number=22, inject=fails_over)
        result = nemesis.run(fault, environment, seed=1)
        print(f"{lacked[0]} calls were in doubt; {result}")
        counted = result.tally
        assert (counted.lost, counted.doubled, counted.wrong, counted.leaked) == (0, 0, 0, 0)
        assert counted.overspent == 0
        assert counted.unledgered <= lacked[0]
        assert counted.paid_again <= lacked[0]
