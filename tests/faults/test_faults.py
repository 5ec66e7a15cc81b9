"""Each fault against real workers, a real Redis and both databases: `make faults`; a short set by default."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from tests.faults import nemesis
from tests.faults.catalogue import ALL
from tests.faults.fault_runs import FaultEnvironments, run_and_record
from tests.faults.nemesis import Fault

#: FAULTS=all runs everything, FAULTS=word,word only what has one of the words (regular expressions) in its
#: name, which ends in " on sqlite" or " on postgresql"
CHOICE = os.environ.get("FAULTS", "quick")
SEED = os.environ.get("FAULTS_SEED", "1")


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


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultEnvironments]:
    with FaultEnvironments(tmp_path_factory) as opened:
        yield opened


@pytest.mark.parametrize(("kind", "fault"), cases())
@pytest.mark.timeout(900)
def test_nothing_is_lost_doubled_or_overspent(
    environments: FaultEnvironments, kind: str, fault: Fault
) -> None:
    result = run_and_record(fault, environments, kind, seed=int(SEED))
    assert result.problems == {}, result
