"""All faults."""

from __future__ import annotations

from tests.faults.faults import broker, database, failover, hosts, processes, provider
from tests.faults.nemesis import Fault

ALL: list[Fault] = [
    *processes.FAULTS,
    *broker.FAULTS,
    *database.FAULTS,
    *failover.FAULTS,
    *hosts.FAULTS,
    *provider.FAULTS,
]
