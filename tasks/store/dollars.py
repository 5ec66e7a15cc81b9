"""The money of a batch in dollars, for those who read a value; the store counts in micro-dollars."""

from __future__ import annotations

from router_core.pricing import MICROS_PER_DOLLAR


class InDollars:
    """Properties in dollars beside fields in micro-dollars."""

    __slots__ = ()
    spent: int
    reserved: int
    saved: int
    routing_saved: int | None
    budget: int | None

    @property
    def projected(self) -> int | None:
        """The projected cost, in micro-dollars."""
        raise NotImplementedError

    @property
    def cost_usd(self) -> float:
        """What the batch has cost so far, in dollars."""
        return self.spent / MICROS_PER_DOLLAR

    @property
    def budget_usd(self) -> float | None:
        """The most that it may cost, in dollars; None for no limit."""
        return dollars(self.budget)

    @property
    def reserved_usd(self) -> float:
        """What is set aside for calls in flight, in dollars."""
        return self.reserved / MICROS_PER_DOLLAR

    @property
    def saved_usd(self) -> float:
        """What the calls of reused answers had cost, in dollars."""
        return self.saved / MICROS_PER_DOLLAR

    @property
    def routing_saved_usd(self) -> float | None:
        """What the best single model would have cost for as many tokens, less what routed requests cost.

        In dollars, below 0 where failed calls, which are paid, and dearer models cost more than cheaper ones
        saved; None where it is not known.
        """
        return dollars(self.routing_saved)

    @property
    def projected_usd(self) -> float | None:
        """The projected cost of the whole batch, in dollars; None until a request has ended."""
        return dollars(self.projected)


def dollars(micros: int | None) -> float | None:
    """Return micro-dollars in dollars; None for None."""
    return None if micros is None else micros / MICROS_PER_DOLLAR
