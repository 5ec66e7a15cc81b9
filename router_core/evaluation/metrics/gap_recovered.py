"""RouteLLM's metrics for a strong and a weak model (arXiv 2406.18665, section 3): PGR, APGR and CPT.

The performance gap recovered (PGR) is 0 at the weak model's quality and 1 at the strong one's. Prompts go to
the strong model in the order of its predicted advantage. APGR is the mean PGR over all shares of calls to the
strong model, CPT(x) the lowest share at which PGR reaches x. A random router has an APGR of 0.5 and a CPT(x)
of x.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def recovered_gap(advantage: Floats, strong: Floats, weak: Floats) -> Floats:
    """Return PGR when the first 0, 1, … n prompts by predicted advantage go to the strong model.

    Args:
        advantage: The predicted advantage of the strong model [n].
        strong: The strong model's scores [n].
        weak: The weak model's scores [n].

    Returns:
        PGR [n + 1]; NaN unless the strong model's mean score is the higher one.
    """
    order = np.argsort(-advantage, kind="stable")
    gains = np.concatenate([[0.0], np.cumsum((strong - weak)[order])])
    return np.asarray(gains / gains[-1] if gains[-1] > 0 else np.full(len(gains), np.nan))


def apgr(recovered: Floats) -> float:
    """Return the mean of PGR [n + 1] over all shares of calls to the strong model; NaN without prompts."""
    if len(recovered) < 2:
        return float("nan")
    return float(np.trapezoid(recovered, dx=1 / (len(recovered) - 1)))


def cpt(recovered: Floats, target: float) -> float:
    """Return the lowest share of calls to the strong model at which PGR [n + 1] reaches the target."""
    reached = np.flatnonzero(recovered >= target)
    return float(reached[0] / max(len(recovered) - 1, 1)) if len(reached) else float("nan")


def two_model_metrics(
    advantage: Floats, strong: Floats, weak: Floats, *, targets: Sequence[float] = (0.5, 0.8)
) -> dict[str, float]:
    """Return APGR and the CPT of each target, over the prompts on which both models were judged.

    Args:
        advantage: The predicted advantage of the strong model [n], NaN where unknown.
        strong: The strong model's scores [n], NaN where it was not judged.
        weak: The weak model's scores [n], NaN where it was not judged.
        targets: The values of PGR to reach.

    Returns:
        The metrics by name: `apgr`, `cpt_50%` and so on.
    """
    both = np.isfinite(strong) & np.isfinite(weak) & np.isfinite(advantage)
    recovered = recovered_gap(advantage[both], strong[both], weak[both])
    return {"apgr": apgr(recovered)} | {f"cpt_{target:.0%}": cpt(recovered, target) for target in targets}
