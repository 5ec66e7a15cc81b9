"""Dawid and Skene (1979): judges' confusion matrices and pairs' true classes, fitted together by EM.

Each pair of answers has an unknown true class, each judge a confusion matrix P(verdict | true class).
Expectation maximisation begins with the majority vote and alternates two steps until the class probabilities
stop moving. The M step estimates the confusion matrices from the class probabilities, the E step the class
probabilities from the confusion matrices. Dirichlet priors keep both estimates away from 0 and 1.

The classes are "the longer answer is better", "tie" and "the shorter answer is better", not the names of the
models. So the confusion matrix of a judge who favours long answers shows this bias: its verdicts for the
longer answer then count little, and those for the shorter one much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.judging.scores import mean_pair_scores
from router_core.judging.verdicts import HUMAN, Judgement, Pair

Array = NDArray[np.float64]
Verdicts = NDArray[np.int64]

#: The classes, of true results and of verdicts: the longer answer is better, neither is, the shorter one is.
LONGER, TIE, SHORTER = 0, 1, 2
_MISSING = -1

#: A row of the arrays: a prompt, a pair, and whether the answer of `pair[0]` counts as the longer one.
_Row = tuple[int | str, Pair, bool]

#: Dirichlet prior of every confusion matrix, as counts [true class, verdict]: a judge is right more often
#: than not.
_PRIOR_COUNTS = np.array([[6.0, 2.0, 1.0], [1.5, 6.0, 1.5], [1.0, 2.0, 6.0]])
#: The confusion matrix of people, which is not fitted: people are trusted over LLM judges.
_HUMAN_CONFUSION = np.array([[0.90, 0.07, 0.03], [0.08, 0.84, 0.08], [0.03, 0.07, 0.90]])
#: Dirichlet prior of the class frequencies, as a count for each class: no class is ruled out by few pairs.
_PSEUDO_COUNT = 5.0
_MAX_ITERATIONS = 50
#: EM stops when no class probability changes by as much as this.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class DawidSkene:
    """A fitted Dawid-Skene model of j judges on n rows; a row is a pair of answers to a prompt.

    Attributes:
        judges: The judges' names [j].
        pairs: The prompt and the pair of each row [n].
        confusion_matrices: P(verdict | true class) of each judge, [j, 3, 3].
        class_probabilities: P(true class) of each row, [n, 3].
        verdicts: The class of each judge's verdict, [n, j]; -1 where there is no valid one.
        first_is_longer: Whether the answer of `pair[0]` is the longer one, [n]. A pair of equally long
            answers has two rows, one for each case.
    """

    judges: tuple[str, ...]
    pairs: tuple[tuple[int | str, Pair], ...]
    confusion_matrices: Array
    class_probabilities: Array
    verdicts: Verdicts
    first_is_longer: NDArray[np.bool_]

    def pair_scores(self) -> dict[int | str, dict[Pair, float]]:
        """Return the expected score of `pair[0]`, 0 to 1, by prompt and pair."""
        longer_scores = self.class_probabilities[:, LONGER] + 0.5 * self.class_probabilities[:, TIE]
        first_scores = np.where(self.first_is_longer, longer_scores, 1.0 - longer_scores)
        scores: dict[int | str, dict[Pair, float]] = {}
        for (prompt, pair), score in zip(self.pairs, first_scores.tolist(), strict=True):
            of_prompt = scores.setdefault(prompt, {})
            # The mean of both rows where a pair has two.
            of_prompt[pair] = (of_prompt.get(pair, score) + score) / 2
        return scores

    def expected_accuracy(self) -> dict[str, float]:
        """Return each judge's probability of a correct verdict, at the fitted class frequencies."""
        frequencies = self.class_probabilities.mean(axis=0)
        diagonals = np.einsum("jtt->jt", self.confusion_matrices)
        return dict(zip(self.judges, (diagonals @ frequencies).tolist(), strict=True))


def fit(judgements: Sequence[Judgement]) -> DawidSkene:
    """Fit the model to judgements by EM; judgements without a score are left out.

    The result depends neither on the order of the judgements nor on the names of models and judges.
    """
    usable = [judgement for judgement in judgements if judgement.score is not None]
    judges = tuple(sorted({judgement.judge for judgement in usable}))
    rows = _rows(usable)
    verdicts = _verdict_matrix(usable, judges, rows)
    class_probabilities, matrices = _run_em(verdicts, judges)
    return DawidSkene(
        judges,
        tuple((prompt, pair) for prompt, pair, _ in rows),
        matrices,
        class_probabilities,
        verdicts,
        np.array([first_is_longer for _, _, first_is_longer in rows], bool),
    )


def robust_pair_scores(judgements: Sequence[Judgement]) -> dict[int | str, dict[Pair, float]]:
    """Return the score of `pair[0]`, 0 to 1, by prompt and pair, with judges weighted by their reliability.

    With several judges these are the expected scores of a fitted Dawid-Skene model. A single judge's scores
    are returned as they are.
    """
    several = len({judgement.judge for judgement in judgements if judgement.score is not None}) > 1
    return fit(judgements).pair_scores() if several else mean_pair_scores(judgements)


def confusion_matrices_of(fitted: DawidSkene) -> Mapping[str, list[list[float]]]:
    """Return the confusion matrices [3, 3] by judge, rounded, for reports."""
    return dict(zip(fitted.judges, fitted.confusion_matrices.round(3).tolist(), strict=True))


def _rows(usable: Sequence[Judgement]) -> list[_Row]:
    """Return a row for each pair, or both possible rows where neither answer is longer.

    With one row, the class of a verdict on equally long answers would depend on the order of the names.
    """
    sides = {(judgement.prompt, judgement.pair): judgement.longer for judgement in usable}
    rows = [
        (prompt, pair, first_is_longer)
        for (prompt, pair), longer in sides.items()
        for first_is_longer in (True, False)
        if longer in (0, 1 if first_is_longer else -1)
    ]
    return sorted(rows, key=lambda row: (str(row[0]), *row[1:]))


def _verdict_matrix(usable: Sequence[Judgement], judges: Sequence[str], rows: Sequence[_Row]) -> Verdicts:
    """Return the class of each judge's verdict on each row, [n, j], -1 where there is none."""
    row_of = {row: index for index, row in enumerate(rows)}
    column_of = {judge: index for index, judge in enumerate(judges)}
    verdicts = np.full((len(rows), len(judges)), _MISSING, dtype=np.int64)
    for judgement in usable:
        for first_is_longer in (True, False):
            row = row_of.get((judgement.prompt, judgement.pair, first_is_longer))
            if row is not None:
                verdicts[row, column_of[judgement.judge]] = _class_of(judgement, first_is_longer)
    return verdicts


def _class_of(judgement: Judgement, first_is_longer: bool) -> int:
    if judgement.score == 0.5:
        return TIE
    return LONGER if (judgement.score == 1.0) == first_is_longer else SHORTER


def _run_em(verdicts: Verdicts, judges: Sequence[str]) -> tuple[Array, Array]:
    """Return class probabilities [n, 3] and confusion matrices [j, 3, 3]."""
    probabilities, matrices = _majority_vote(verdicts), _prior_matrices(judges)
    for _ in range(_MAX_ITERATIONS if len(verdicts) else 0):
        matrices = _m_step(verdicts, probabilities, judges)
        updated = _e_step(verdicts, matrices, _class_frequencies(probabilities))
        change, probabilities = float(np.abs(updated - probabilities).max()), updated
        if change < _TOLERANCE:
            break
    return probabilities, matrices


def _majority_vote(verdicts: Verdicts) -> Array:
    """Return each class's share of the verdicts [n, 3], with a third of a vote added to each class."""
    votes = np.stack([(verdicts == label).sum(axis=1) for label in range(3)], axis=1) + 1 / 3
    return np.asarray(votes / votes.sum(axis=1, keepdims=True))


def _class_frequencies(probabilities: Array) -> Array:
    """Return the estimated frequency of each class, [3]."""
    return np.asarray((probabilities.sum(axis=0) + _PSEUDO_COUNT) / (len(probabilities) + 3 * _PSEUDO_COUNT))


def _m_step(verdicts: Verdicts, probabilities: Array, judges: Sequence[str]) -> Array:
    """Return the confusion matrices [j, 3, 3], estimated from expected counts and the prior."""
    indicators = np.stack([verdicts == label for label in range(3)], axis=2).astype(np.float64)
    counts = np.einsum("nt,njs->jts", probabilities, indicators) + _PRIOR_COUNTS
    return _with_human_fixed(counts / counts.sum(axis=2, keepdims=True), judges)


def _e_step(verdicts: Verdicts, matrices: Array, frequencies: Array) -> Array:
    """Return the class probabilities [n, 3] given all verdicts (Bayes' rule, in logarithms)."""
    logs = np.tile(np.log(frequencies), (len(verdicts), 1))
    for judge in range(verdicts.shape[1]):
        known = np.flatnonzero(verdicts[:, judge] != _MISSING)
        logs[known] += np.log(matrices[judge][:, verdicts[known, judge]]).T
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _prior_matrices(judges: Sequence[str]) -> Array:
    """Return the confusion matrices [j, 3, 3] before any verdict is seen."""
    prior = _PRIOR_COUNTS / _PRIOR_COUNTS.sum(axis=1, keepdims=True)
    return _with_human_fixed(np.tile(prior, (len(judges), 1, 1)), judges)


def _with_human_fixed(matrices: Array, judges: Sequence[str]) -> Array:
    fixed = matrices.copy()
    fixed[[judge == HUMAN for judge in judges]] = _HUMAN_CONFUSION
    return fixed
