"""Each policy of a router compared with its own kNN alone, prompt by prompt: is the rest worth having?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from router_core.evaluation.best_constant import ROUTER
from router_core.evaluation.metrics.bootstrap import Bootstrap, EstimateWithError
from router_core.evaluation.outcomes import Outcomes
from router_core.evaluation.strategies import Strategy

KNN = "kNN"


@dataclass(frozen=True)
class KnnComparison:
    """The comparison of a router's policy with kNN alone.

    Attributes:
        policy: The policy.
        gain: The router's mean score less kNN's, paired by prompt.
    """

    policy: str
    gain: EstimateWithError

    @property
    def knn_is_ahead(self) -> bool:
        """Whether kNN is better by more than one standard error."""
        return self.gain.value < 0 and -self.gain.value > self.gain.error

    def note(self) -> str | None:
        """Return a sentence if kNN is ahead, else None."""
        if not self.knn_is_ahead:
            return None
        size = f"{-self.gain.value:.4f} ± {self.gain.error:.4f}"
        return f"kNN alone is better than policy {self.policy} by {size}, prompt by prompt"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"gain": self.gain.to_dict(), "ahead": self.knn_is_ahead}


def knn_comparisons(
    outcomes: Outcomes, strategies: Mapping[str, Strategy], *, seed: int = 0
) -> tuple[KnnComparison, ...]:
    """Return the comparison of each policy among the strategies with kNN; none without kNN."""
    if KNN not in strategies:
        return ()
    routers = {name: one for name, one in strategies.items() if name.startswith(ROUTER)}
    bootstrap, knn = Bootstrap(outcomes.prompt_index, seed), strategies[KNN].expected(outcomes.scores)
    columns = {name: bootstrap.add(one.expected(outcomes.scores) - knn) for name, one in routers.items()}
    return tuple(
        KnnComparison(name.removeprefix(ROUTER), bootstrap.mean(column)) for name, column in columns.items()
    )
