"""What the sequential test says of a canary, signal by signal and in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from router_core.monitoring.canary import (
    ALPHA,
    MIN_JUDGED,
    MIN_REQUESTS,
    Arm,
    SampleStats,
    detect_regression,
    evidence,
)

#: from this likelihood ratio on, a canary is worse
ENOUGH = round(1 / ALPHA)
WAITING, NO_WORSE, WORSE = "waiting", "no_worse", "worse"
_LEAST = {"failures": MIN_REQUESTS, "cost": MIN_REQUESTS, "quality": MIN_JUDGED}
_WHAT = {"failures": "ended requests", "cost": "ended requests", "quality": "judged answers"}


@dataclass(frozen=True, slots=True)
class Signal:
    """One of the three comparisons of a canary with the champion.

    Attributes:
        name: failures, cost or quality.
        canary: The canary's sample.
        champion: The champion's sample.
        ratio: The likelihood ratio, as `evidence` has it.
    """

    name: str
    canary: SampleStats
    champion: SampleStats
    ratio: float | None

    @property
    def least(self) -> int:
        """How many values of each sample the test begins at."""
        return _LEAST[self.name]

    @property
    def state(self) -> str:
        """WAITING for more values, NO_WORSE so far, or WORSE."""
        if self.ratio is None:
            return WAITING
        return WORSE if self.ratio >= ENOUGH else NO_WORSE

    @property
    def text(self) -> str:
        """The state in a few words, with the ratio or what is waited for."""
        if self.ratio is None:
            return f"waits for {self.least} of each"
        return f"{self.state.replace('_', ' ')}: {min(self.ratio, 999):.2f} of {ENOUGH}"


def signals(canary: Arm, champion: Arm) -> tuple[Signal, ...]:
    """Return the comparisons of failures, cost and quality."""
    return tuple(
        Signal(name, getattr(canary, name), getattr(champion, name), ratio)
        for name, ratio in evidence(canary, champion).items()
    )


def verdict(canary: Arm, champion: Arm) -> str:
    """Return in a sentence or two whether the canary is worse, and what the test waits for."""
    if reason := detect_regression(canary, champion):
        return f"Worse: {reason}. Upkeep rolls it back."
    compared = signals(canary, champion)
    waiting = [one for one in compared if one.state == WAITING]
    tested = [one.name for one in compared if one.state != WAITING]
    begins = _joined(
        [
            f"{_joined([one.name for one in waiting if _WHAT[one.name] == what])} at {least} {what} of each"
            for what, least in dict.fromkeys((_WHAT[one.name], one.least) for one in waiting)
        ]
    )
    if not tested:
        return f"Too few requests to say: the test begins for {begins}."
    so_far = f"No worse so far in {_joined(tested)}"
    return f"{so_far}; the test begins for {begins}." if waiting else f"{so_far}."


def _joined(words: list[str]) -> str:
    """Return words as a list in prose."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
