"""Answers of the simulator that wait until a test lets them go, so that it meets a batch in its middle."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from uuid import uuid4

from tests.support.waiting import wait_until
from workers.simulator import SimulatorClient

_WAIT_S = 200.0


class Hold:
    """A name at which calls wait; at the end of the block all go on.

    >>> with Hold(simulator.client) as hold:
    ...     batch_id = stack.submit([f"{hold.marker} {n}" for n in range(100)])
    ...     hold.await_calls(1)
    """

    def __init__(self, client: SimulatorClient) -> None:
        self._client = client
        self.name = f"hold-{uuid4().hex[:8]}"

    @property
    def marker(self) -> str:
        """What holds the calls of a prompt that has it."""
        return f"[[sim:hold={self.name}]]"

    def of_model(self, model: str) -> None:
        """Hold all calls of a model, or of all models: "*"."""
        self._client.behave(model, hold=self.name)

    @property
    def calls(self) -> int:
        """How many calls wait now."""
        return self._client.held(self.name)

    def await_calls(self, number: int) -> int:
        """Wait until at least so many calls wait; returns how many."""
        wait_until(lambda: self.calls >= number, timeout_s=_WAIT_S)
        return self.calls

    def let_go(self, calls: int | None = None) -> None:
        """Let so many calls go on, now or when they come; without a number all, from now on."""
        self._client.release(self.name, calls)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
