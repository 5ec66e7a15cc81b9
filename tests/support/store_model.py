"""A simple model of what the store does with one batch: lines, calls and money, but no chunks."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.store.sweep import MAX_LOSSES
from tasks.store.values import RequestResult, Requeue

SENT, UNKNOWN = "sent", "unknown"
ENDS = ("succeeded", "failed", "cancelled")


@dataclass
class Call:
    """One call on the ledger."""

    state: str
    reserved: int
    cost: int = 0


@dataclass
class RequestModel:
    """One request.

    Attributes:
        state: waiting (in a chunk that nobody has claimed), held, ready, following, or how it ended.
        holder: The worker that holds it.
        calls: Its calls.
        losses: How often its worker was lost with a call of it in flight.
        original: The line that it repeats.
        waits_for: The worst case of its next call, if it is ready but waits for money.
    """

    state: str = "waiting"
    holder: str | None = None
    calls: list[Call] = field(default_factory=list)
    losses: int = 0
    original: int | None = None
    waits_for: int | None = None

    @property
    def in_flight(self) -> bool:
        return bool(self.calls) and self.calls[-1].state == SENT

    @property
    def stored_state(self) -> str:
        """The state in the store, which tells waiting from held by the chunk, not by the request."""
        return "held" if self.state == "waiting" else self.state


class BatchModel:
    """A batch whose requests name their model; some are duplicates of others."""

    def __init__(self, lines: int, duplicates: dict[int, int], budget: int | None) -> None:
        self.lines = {n: RequestModel() for n in range(1, lines + 1)}
        for number, original in duplicates.items():
            self.lines[number] = RequestModel(state="following", original=original)
        self.budget = budget
        self.status = "in_progress"

    @property
    def spent(self) -> int:
        return sum(call.cost for line in self.lines.values() for call in line.calls)

    @property
    def reserved(self) -> int:
        return sum(c.reserved for line in self.lines.values() for c in line.calls if c.state == SENT)

    def held_by(self, who: str) -> list[int]:
        return [n for n, line in self.lines.items() if line.holder == who and line.state == "held"]

    def claim(self, numbers: list[int], who: str) -> None:
        for line in (self.lines[n] for n in numbers):
            assert line.state == "waiting", "only what waits can be claimed"
            line.state, line.holder = "held", who

    def reserve(self, number: int, attempt: int, worst: int, who: str) -> str:
        """Reserve the worst case of a call; returns granted, waiting, refused or lost."""
        line = self.lines[number]
        if line.state != "held" or line.holder != who:
            return "lost"
        if attempt == len(line.calls) and line.in_flight:
            return "granted"  # the reply to an earlier reservation was lost
        if attempt != len(line.calls) + 1 or self.status != "in_progress":
            return "lost"
        if self.budget is not None and worst > self.budget - self.spent - self.reserved:
            return "waiting" if worst <= self.budget - self.spent else "refused"
        line.calls.append(Call(SENT, worst))
        return "granted"

    def put_off(self, number: int, attempt: int, worst: int, who: str) -> str:
        """Let a request wait for money, if there is none now; returns waiting, refused, lost or neither."""
        line = self.lines[number]
        if line.state != "held" or line.holder != who or self.status != "in_progress":
            return "lost"
        if attempt != len(line.calls) + 1:
            return "lost"
        if self.budget is None or worst <= self.budget - self.spent - self.reserved:
            return ""
        if worst > self.budget - self.spent:
            return "refused"
        line.state, line.holder, line.waits_for = "ready", None, worst
        return "waiting"

    def wake(self) -> None:
        """Wake what the budget has room for, and end what it never will have."""
        if self.budget is None:
            return
        room, at_best = self.budget - self.spent - self.reserved, self.budget - self.spent
        for number, line in self.lines.items():
            if line.state == "ready" and line.waits_for is not None:
                if line.waits_for <= room:
                    room, line.waits_for = room - line.waits_for, None
                elif line.waits_for > at_best:
                    self.end(number, "failed")

    def settle(self, number: int, attempt: int, cost: int | None, following: RequestResult | Requeue) -> None:
        """Settle a call, if it is still `sent`, and wake what waits for its money."""
        self._settle(number, attempt, cost, following)
        self.wake()

    def _settle(
        self, number: int, attempt: int, cost: int | None, following: RequestResult | Requeue
    ) -> None:
        line = self.lines[number]
        if attempt > len(line.calls) or line.calls[attempt - 1].state != SENT:
            return
        call = line.calls[attempt - 1]
        succeeded = isinstance(following, RequestResult) and following.status == "succeeded"
        call.state = "succeeded" if succeeded else "failed"
        call.cost = call.reserved if cost is None else min(cost, call.reserved)
        if isinstance(following, RequestResult):
            self.end(number, following.status)
        elif self.status == "cancelling":
            self.end(number, "cancelled")
        else:
            line.state, line.holder = "ready", None

    def end(self, number: int, status: str) -> None:
        """End a request with its duplicates, and the batch if it was the last."""
        for n, line in self.lines.items():
            if n == number or (line.original == number and line.state == "following"):
                line.state, line.holder, line.waits_for = status, None, None
        self._finish()

    def expire(self, who: str | None = None) -> None:
        """Take back what a worker holds, or what all hold: its leases ran out and were swept."""
        taken = {n: line for n, line in self.lines.items() if line.holder and who in (None, line.holder)}
        for line in taken.values():
            if line.in_flight:
                line.calls[-1].state, line.calls[-1].cost = UNKNOWN, line.calls[-1].reserved
                line.losses += 1
            line.state, line.holder = "ready", None
        for number, line in taken.items():
            if line.losses >= MAX_LOSSES:
                self.end(number, "failed")
        self.wake()

    def hand_back(self, who: str) -> None:
        """Hand back what a worker has not sent."""
        for number in self.held_by(who):
            if not self.lines[number].in_flight:
                self.lines[number].state, self.lines[number].holder = "ready", None

    def regroup(self) -> None:
        if self.status == "cancelling":
            self.cancel()
        elif self.status == "in_progress":
            for line in self.lines.values():
                if line.state == "ready" and line.waits_for is None:
                    line.state = "waiting"

    def cancel(self) -> None:
        if self.status in ("completed", "cancelled"):
            return
        self.status = "cancelling"
        for number, line in self.lines.items():
            if line.state in ("waiting", "held", "ready") and not line.in_flight:
                self.end(number, "cancelled")
        self._finish()

    def retry(self, budget: int | None) -> bool:
        """Retry what failed or was cancelled; False where it still runs, or the budget is spent already."""
        if self.status not in ("completed", "cancelled"):
            return False
        if budget is not None and budget < self.spent:
            return False
        self.budget = budget if budget is not None else self.budget
        self.status = "in_progress"
        for line in self.lines.values():
            if line.state in ("failed", "cancelled"):
                line.state = "ready" if line.original is None else "following"
                line.losses = 0
        self._finish()
        return True

    def _finish(self) -> None:
        if all(line.state in ENDS for line in self.lines.values()):
            self.status = {"in_progress": "completed", "cancelling": "cancelled"}.get(
                self.status, self.status
            )
