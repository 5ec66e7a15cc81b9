"""What choices within a routing budget are expected to cost, against what they may."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: A budget that is exceeded by less than this share is kept: sums of floats differ by their order.
_TOLERANCE = 1e-6


@dataclass
class BudgetUse:
    """The expected costs of chosen models, summed chunk by chunk.

    Attributes:
        limit: The dollars that a thousand prompts may cost.
        prompts: The number of prompts chosen for.
        spent: Their expected cost in dollars.
        least: What they would cost at the cheapest model that can answer each.
    """

    limit: float
    prompts: int = 0
    spent: float = 0.0
    least: float = 0.0

    def add(
        self,
        choice: NDArray[np.int64],
        costs: NDArray[np.float64],
        allowed: NDArray[np.bool_] | None = None,
    ) -> None:
        """Take in the choices of n prompts.

        Args:
            choice: The columns of the chosen models, [n].
            costs: The expected costs in dollars, [n, m].
            allowed: Which models can answer, bool [n, m]; by default all.
        """
        able = costs if allowed is None else np.where(allowed, costs, np.inf)
        self.prompts += len(choice)
        self.spent += float(costs[np.arange(len(choice)), choice].sum())
        self.least += float(able.min(axis=1, initial=np.inf).sum())

    def warning(self) -> str | None:
        """Return a sentence if the choices are expected to cost more than they may."""
        if not self.prompts or self._per_1000(self.spent) <= self.limit * (1 + _TOLERANCE):
            return None
        spent, least = self._per_1000(self.spent), self._per_1000(self.least)
        return (
            f"the routing budget of ${self.limit:.4g} per 1,000 prompts cannot be kept: ${spent:.4g} is"
            f" expected, and ${least:.4g} if the cheapest model that can answer takes each"
        )

    def _per_1000(self, dollars: float) -> float:
        return 1000 * dollars / self.prompts
