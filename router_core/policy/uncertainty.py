"""How uncertain the router is of each prompt, for sampling prompts to label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.policy.choice import top_two

#: At a gap of this share of the range of the scores, the uncertainty is 1/e.
_MARGIN_SCALE = 0.1


def margin_uncertainty(predicted: NDArray[np.floating], *, score_range: float) -> NDArray[np.float64]:
    """Return the uncertainty of the router about each prompt, float64 [n], from 0 to 1.

    Uncertainty sampling by margin (Scheffer et al. 2001): the smaller the gap between the two highest
    predicted scores, the higher the uncertainty. It is exp(-gap / (0.1 score_range)), and 0 for a prompt with
    a predicted score of only one model.

    Args:
        predicted: The predicted scores, [n, m].
        score_range: The range of the scores, highest less lowest.
    """
    gap = top_two(predicted).gap.astype(np.float64)
    return np.where(np.isfinite(gap), np.exp(-np.nan_to_num(gap) / (_MARGIN_SCALE * score_range)), 0.0)
