"""What a setting of the shift guard gains on familiar prompts, on kinds left out, where they are mixed."""

from __future__ import annotations

from dataclasses import dataclass

from router_core.training.deviation_tests import Trial

#: The threshold that is tried as well where the measure is trusted: stricter ones hold many familiar prompts
#: of a mixed batch. What is more likely new than not is held even so.
LENIENT_THRESHOLD = 0.5
#: How many standard errors a setting may lie behind the best single model on kinds that were left out.
TOLERANCE = 0.5


@dataclass(frozen=True)
class Estimates:
    """One setting of one policy, with its result on each sort of batch, named as in `ShiftBatches`."""

    margin: float
    threshold: float
    cost_weight: float
    familiar: Trial
    left_out: Trial
    mixed_familiar: Trial
    mixed_left_out: Trial

    @property
    def is_safe(self) -> bool:
        """Whether the setting gains on familiar prompts and is not behind on kinds that were left out.

        The lenient threshold must gain in mixed batches, for whose familiar prompts it is tried.
        """
        familiar, new = [self.familiar], (self.left_out, self.mixed_left_out)
        if self.threshold == LENIENT_THRESHOLD:
            familiar.append(self.mixed_familiar)
        behind = any(trial.gain < -TOLERANCE * trial.standard_error for trial in new)
        return all(trial.is_significant() for trial in familiar) and not behind

    @property
    def lower_bound(self) -> float:
        """The sum of the lower bounds of the gain on familiar prompts."""
        return self.familiar.lower_bound + self.mixed_familiar.lower_bound

    @property
    def cost(self) -> float:
        """The sum of the mean costs of familiar prompts, dollars."""
        return self.familiar.cost + self.mixed_familiar.cost
