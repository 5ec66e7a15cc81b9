"""Quality report on LLM judges: order bias, length bias, self-preference, agreement and invalid replies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from router_core.judging.agreement import (
    PreferenceBias,
    Proportion,
    round_or_none,
)


@dataclass(frozen=True, kw_only=True)
class JudgeQuality:
    """The quality of one judge; a value is None where there is nothing to compute it from.

    "Probably right" refers to the scores that a Dawid-Skene model fits to the verdicts of all judges.

    Attributes:
        judge: The judge's name.
        pairs: The pairs that it has judged, in one order at least.
        invalid_replies: The share of its replies that are no valid verdict.
        order_flips: The share of the pairs with a winner in both orders whose winner changes with the order.
        flips_to_first: The share of these flips in which the answer shown first wins both times.
        length_bias: The score that it gives the longer answers, and the expected one.
        agreement: How often its winner is the one that is probably right.
        self_preference: The score that it gives answers of its own family, and the expected one.
        human_agreement: How often its winner is that of the people who judged the same pair.
        mean_kappa: The mean of Cohen's kappa with each of the other judges.
        findings: The judge's significant faults as sentences.
    """

    judge: str
    pairs: int
    invalid_replies: Proportion
    order_flips: Proportion
    flips_to_first: Proportion
    length_bias: PreferenceBias
    agreement: Proportion
    self_preference: PreferenceBias
    human_agreement: Proportion
    mean_kappa: float | None
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class QualityReport:
    """The quality of all judges.

    Attributes:
        judges: The quality of each judge, by name; people are not among them.
        pairs: The number of judged pairs.
        alpha: Krippendorff's alpha, ordinal, over all judges but people.
        warnings: What is probably wrong with the labels themselves, as sentences.
    """

    judges: tuple[JudgeQuality, ...]
    pairs: int
    alpha: float | None
    warnings: tuple[str, ...] = ()

    @property
    def findings(self) -> list[str]:
        """Every finding, after the name of its judge."""
        return [f"{quality.judge}: {finding}" for quality in self.judges for finding in quality.findings]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "pairs": self.pairs,
            "krippendorff_alpha": round_or_none(self.alpha),
            "findings": self.findings,
            "warnings": list(self.warnings),
            "judges": [_quality_to_dict(quality) for quality in self.judges],
        }


def _quality_to_dict(quality: JudgeQuality) -> dict[str, Any]:
    return {
        "judge": quality.judge,
        "pairs": quality.pairs,
        "garbage": quality.invalid_replies.to_dict(),
        "flips": quality.order_flips.to_dict(),
        "first": quality.flips_to_first.to_dict(),
        "longer": quality.length_bias.to_dict(),
        "agreement": quality.agreement.to_dict(),
        "own": quality.self_preference.to_dict(),
        "human": quality.human_agreement.to_dict(),
        "kappa": round_or_none(quality.mean_kappa),
        "findings": list(quality.findings),
    }
