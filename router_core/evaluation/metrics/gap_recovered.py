"""RouteLLM's figures for a strong and a weak model (arXiv 2406.18665, section 3): APGR and CPT.

The performance gap recovered, PGR, is 0 for the weak model's quality and 1 for the strong one's. Calls go to
the strong model in the order of its predicted advantage; APGR is the mean PGR over all shares of such calls,
CPT(x) the lowest share at which PGR reaches x. A router that guesses has an APGR of 0.5 and a CPT(x) of x.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def recovered_gap(advantage: Floats, strong: Floats, weak: Floats) -> Floats:
    """Return PGR when the first 0, 1, … n prompts by predicted advantage [n] go to the strong model, [n + 1].

    `strong` and `weak` [n] are the two models' scores. NaN where the strong one is not better on the whole.
    """
    order = np.argsort(-advantage, kind="stable")
    gains = np.concatenate([[0.0], np.cumsum((strong - weak)[order])])
    return np.asarray(gains / gains[-1] if gains[-1] > 0 else np.full(len(gains), np.nan))


def apgr(recovered: Floats) -> float:
    """Return the mean of PGR over all shares of calls to the strong model."""
    if len(recovered) < 2:
        return float("nan")
    return float(np.trapezoid(recovered, dx=1 / (len(recovered) - 1)))


def cpt(recovered: Floats, target: float) -> float:
    """Return the lowest share of calls to the strong model at which PGR reaches the target."""
    reached = np.flatnonzero(recovered >= target)
    return float(reached[0] / max(len(recovered) - 1, 1)) if len(reached) else float("nan")


def two_model_metrics(
    advantage: Floats, strong: Floats, weak: Floats, *, targets: Sequence[float] = (0.5, 0.8)
) -> dict[str, float]:
    """Return APGR and CPT over the prompts on which both were judged."""
    both = np.isfinite(strong) & np.isfinite(weak) & np.isfinite(advantage)
    recovered = recovered_gap(advantage[both], strong[both], weak[both])
    return {"apgr": apgr(recovered)} | {f"cpt_{target:.0%}": cpt(recovered, target) for target in targets}
