"""The plan of a call, as plans.py makes it and the protocols lay it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workers.simulator.faults import Fault
from workers.simulator.shapes import Shape


@dataclass(frozen=True)
class ToolCall:
    """A call of a function that the model asks for."""

    id: str
    """24 hex digits, of which each protocol makes an id of its own form."""
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """The course of one call: its failure or answer, its latency and its length."""

    id: str
    fault: Fault | None
    latency_ms: float
    category: str
    good: bool
    text: str
    completion_tokens: int
    """Tokens of the text and of the tool calls, without reasoning."""
    finish_reason: str
    reasoning: str = ""
    reasoning_tokens: int = 0
    tool_calls: tuple[ToolCall, ...] = ()
    shape: Shape | None = None
    hold: str | None = None
    """The name at which the answer waits until a test lets it go."""

    @property
    def number(self) -> str:
        """24 hex digits, of which each protocol makes an id of its own form."""
        return self.id.rpartition("-")[2]
