"""Findings on a judge: one sentence for each kind of fault that its statistics show significantly."""

from __future__ import annotations

from router_core.judging.agreement import PreferenceBias, Proportion

#: Thresholds, which docs/learning.md describes; a finding needs a value significantly beyond its threshold.
MAX_ORDER_FLIPS = 0.10
MAX_INVALID_REPLIES = 0.05
MIN_AGREEMENT = 0.75
MAX_PREFERENCE_BIAS = 0.05


def invalid_replies_finding(invalid: Proportion) -> str | None:
    """Return the finding for the share of invalid replies, or None."""
    if not invalid.significantly_above(MAX_INVALID_REPLIES):
        return None
    return f"garbage verdicts: {_percent(invalid)} of its replies could not be used"


def order_finding(flips: Proportion, flips_to_first: Proportion) -> str | None:
    """Return the finding for winners that change with the order, or None.

    Args:
        flips: The share of winners that change.
        flips_to_first: The share of these changes in which the answer shown first wins.
    """
    if not flips.significantly_above(MAX_ORDER_FLIPS):
        return None
    changed = f"{_percent(flips)} of its winners change with the order"
    if flips_to_first.significantly_above(0.5):
        return f"order bias: {changed}, mostly to the answer shown first"
    if flips_to_first.significantly_below(0.5):
        return f"order bias: {changed}, mostly to the answer shown second"
    return f"inconsistent: {changed}"


def length_finding(bias: PreferenceBias) -> str | None:
    """Return the finding for the bias towards longer answers, or None."""
    biased = bias.significantly_above(MAX_PREFERENCE_BIAS)
    return f"length bias: the longer answer gets {bias}" if biased else None


def agreement_finding(agreement: Proportion) -> str | None:
    """Return the finding for the agreement with the probably right winner, or None."""
    if agreement.significantly_below(0.5):
        return f"mostly wrong: it agrees with what is probably true in {_percent(agreement)}"
    if agreement.significantly_below(MIN_AGREEMENT):
        return f"unreliable: it agrees with what is probably true in only {_percent(agreement)}"
    return None


def self_preference_finding(bias: PreferenceBias) -> str | None:
    """Return the finding for the bias towards answers of the judge's own family, or None."""
    biased = bias.significantly_above(MAX_PREFERENCE_BIAS)
    return f"self-preference: its own family gets {bias}" if biased else None


def _percent(share: Proportion) -> str:
    return f"{share.value or 0.0:.0%} (±{share.standard_error:.0%} of {share.total})"
