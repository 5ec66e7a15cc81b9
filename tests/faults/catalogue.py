"""All faults."""

from __future__ import annotations

from tests.faults.faults import broker, database, processes, provider
from tests.faults.nemesis import Fault

ALL: list[Fault] = [*processes.FAULTS, *broker.FAULTS, *database.FAULTS, *provider.FAULTS]
