"""Tuning: blend weights, tau and trust, chosen on prompts that the predictors did not learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from router_core.guard import TRUST, Trial, best_paying, cheapest_safe, most_trusting, trial
from router_core.policy import Policy, top_two
from router_core.predictors.ensemble import PARTS, Ensemble, Labels, Predictions, blend_weights
from router_core.predictors.fallback import Contest, Fallback
from router_core.router import Router, Settings
from router_core.splits import splits

Array = NDArray[np.float32]
Rows = NDArray[np.int64]
Progress = Callable[[str], None]

#: Shares of the prompts, those with the smallest gaps, that the classifier is tried on.
_TAU_SHARES = (0.1, 0.2, 0.35, 0.5)


@dataclass(frozen=True)
class Task:
    """What a training works on: points [n, k], scores and costs [n, m], prior [m], folds [n]."""

    points: Array
    scores: NDArray[np.float64]
    costs: NDArray[np.float64]
    prior: Array
    labels: Labels
    fold: Rows
    seed: int
    threads: int


@dataclass(frozen=True)
class Tuned:
    """The chosen settings, the classifier fitted on all out-of-fold predictions, and every trial made."""

    settings: Settings
    fallback: Fallback
    trials: dict[str, list[Trial]]


def held_settings() -> Settings:
    """Return the settings under which no prediction counts."""
    return Settings((0.0,) * len(PARTS), 0.0, {"quality": 0.0, "saving": 0.0, "cargo": 1.0})


def tune(router: Router, task: Task, *, progress: Progress) -> Tuned:
    """Choose all settings of a router whose predictors are fitted; its own settings are not looked at."""
    predictions = _out_of_fold(task, router.categories, progress)
    weights = blend_weights(predictions.parts, task.labels.additions)
    # Routing leaves parts without weight out, so the classifier must not learn from them either.
    used = Predictions(predictions.posterior, predictions.parts * (weights > 0)[:, None, None])
    trusting = Settings(tuple(weights.tolist()), 0.0, {"quality": 1.0, "saving": 1.0, "cargo": 1.0})
    router = replace(router, settings=trusting)
    progress("pairwise classifier")
    contest = Contest(task.points, used, router.predicted(used, trust=1.0))
    return _Judge.of(router, task, contest).tune()


@dataclass(frozen=True)
class _Judge:
    """Judges settings by what the router would have reached, each fold with its own classifier."""

    router: Router
    task: Task
    contest: Contest
    fallback: Fallback
    by_fold: tuple[tuple[Rows, Fallback], ...]

    @classmethod
    def of(cls, router: Router, task: Task, contest: Contest) -> _Judge:
        def fit(rows: Rows) -> Fallback:
            return Fallback.fit(contest.take(rows), task.scores[rows], seed=task.seed, threads=task.threads)

        by_fold = tuple((held_out, fit(learnt)) for learnt, held_out in splits(task.fold))
        return cls(router, task, contest, fit(np.arange(len(task.points))), by_fold)

    def tune(self) -> Tuned:
        """Choose trust, tau and the trust for saving, in this order: each builds on the last."""
        trials = {"quality": [self._try("quality", trust, 0.0) for trust in TRUST]}
        quality = most_trusting(trials["quality"])
        trials["tau"] = [self._try_tau(quality, tau) for tau in self._taus(quality)] if quality else []
        tau = best_paying(trials["tau"])
        trials["saving"] = [self._try("saving", trust, tau) for trust in TRUST] if quality else []
        trust = {"quality": quality, "saving": cheapest_safe(trials["saving"]), "cargo": 1.0}
        settings = replace(self.router.settings, tau=tau, trust=trust)
        return Tuned(settings, self.fallback, trials)

    def _try(self, policy: Policy, trust: float, tau: float) -> Trial:
        best = np.full(len(self.task.scores), int(self.task.prior.argmax()))
        return self._compare(trust, self._choices(policy, trust, tau), best)

    def _try_tau(self, trust: float, tau: float) -> Trial:
        without = self._choices("quality", trust, 0.0)
        return self._compare(tau, self._choices("quality", trust, tau), without)

    def _taus(self, trust: float) -> list[float]:
        gap = top_two(self.router.predicted(self.contest.predictions, trust=trust)).gap
        return [float(tau) for tau in np.quantile(gap, _TAU_SHARES) if tau > 0]

    def _compare(self, setting: float, choice: Rows, reference: Rows) -> Trial:
        rows = np.arange(len(choice))
        scores, costs = self.task.scores, self.task.costs
        return trial(setting, scores[rows, choice], scores[rows, reference], costs[rows, choice])

    def _choices(self, policy: Policy, trust: float, tau: float) -> Rows:
        settings = replace(self.router.settings, tau=tau, trust={policy: trust})
        choice = np.zeros(len(self.task.points), dtype=np.int64)
        for rows, fallback in self.by_fold:
            predictors = replace(self.router.predictors, fallback=fallback)
            router = replace(self.router, predictors=predictors, settings=settings)
            choice[rows] = router.decide(
                self.contest.take(rows),
                models=router.models,
                costs=self.task.costs[rows],
                policy=policy,
                threads=self.task.threads,
            ).choice
        return choice


def _out_of_fold(task: Task, categories: Sequence[str], progress: Progress) -> Predictions:
    """Return predictions for every prompt by an ensemble that has not seen it."""
    n, m = task.scores.shape
    parts = np.zeros((len(PARTS), n, m), dtype=np.float32)
    posterior = np.zeros((n, len(categories)), dtype=np.float32)
    for number, (learnt, held_out) in enumerate(splits(task.fold), start=1):
        progress(f"inner fold {number}")
        ensemble = Ensemble.fit(
            task.points[learnt], task.labels.take(learnt), seed=task.seed, threads=task.threads
        )
        predictions = ensemble.predict(task.points[held_out], threads=task.threads)
        parts[:, held_out] = predictions.parts
        # A rare category can be missing from a fold.
        columns = [list(categories).index(category) for category in ensemble.detector.categories]
        posterior[held_out[:, None], columns] = predictions.posterior
    return Predictions(posterior, parts)
