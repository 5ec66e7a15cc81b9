"""The parts of a dispatcher that the queues of all its models share."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.stages.dispatch.caller import Caller
from tasks.stages.dispatch.capacity import Capacity
from tasks.stages.dispatch.held_groups import HeldGroups
from tasks.stages.dispatch.model_health import ModelHealth
from tasks.stages.dispatch.repository import DispatchRepository
from tasks.stages.dispatch.settlement_writer import SettlementWriter


@dataclass(frozen=True)
class DispatchServices:
    """The parts that a model's queue works with."""

    capacity: Capacity
    groups: HeldGroups
    health: ModelHealth
    repository: DispatchRepository
    writer: SettlementWriter
    caller: Caller
