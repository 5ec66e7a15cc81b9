"""How reliable each judge is, found from the verdicts alone, and what the pairs are worth in that light.

Dawid and Skene (1979): each pair has a true result, each judge a table of what it says given that result;
both are fitted together by expectation maximisation, from the judges' majority on. Results are told apart by
the length of the answers (the longer is better, alike, the shorter is better), not by names, so that a judge
who favours long answers is believed when it prefers the short one, and discounted when it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.judging.scores import mean_pair_scores
from router_core.judging.verdicts import HUMAN, Judgement, Pair

Array = NDArray[np.float64]

#: results as columns: the longer answer is better, neither, the shorter
LONGER, ALIKE, SHORTER = 0, 1, 2
_MISSING = -1

#: a prompt, a pair, and whether the answer of `pair[0]` is taken for the longer one
_Orientation = tuple[int | str, Pair, bool]

#: what every judge is taken to have said before: right more often than not. Rows: true result.
_PRIOR_COUNTS = np.array([[6.0, 2.0, 1.0], [1.5, 6.0, 1.5], [1.0, 2.0, 6.0]])
#: people are believed, and not fitted to the judges
_HUMAN_CONFUSION = np.array([[0.90, 0.07, 0.03], [0.08, 0.84, 0.08], [0.03, 0.07, 0.90]])
#: how many pairs of each result are taken to have been seen before
_PSEUDO_COUNT = 5.0
_MAX_ITERATIONS = 50
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class DawidSkene:
    """The judges' tables and the pairs' results.

    tables [j, 3, 3]: P(what judge j says | the true result). results [n, 3]: P(true result) of each pair.
    said [n, j]: what each judge said, -1 where nothing usable.
    """

    judges: tuple[str, ...]
    pairs: tuple[tuple[int | str, Pair], ...]
    confusion_matrices: Array
    class_probabilities: Array
    verdicts: NDArray[np.int64]
    #: [n], whether the longer answer is that of `pair[0]`; a pair of equal lengths stands there both ways
    first_is_longer: NDArray[np.bool_]

    def pair_scores(self) -> dict[int | str, dict[Pair, float]]:
        """Return by prompt and pair, what `pair[0]` gets: its expected result, 0 to 1."""
        longer_gets = self.class_probabilities[:, LONGER] + 0.5 * self.class_probabilities[:, ALIKE]
        first_gets = np.where(self.first_is_longer, longer_gets, 1.0 - longer_gets)
        found: dict[int | str, dict[Pair, float]] = {}
        for (prompt, pair), value in zip(self.pairs, first_gets.tolist(), strict=True):
            row = found.setdefault(prompt, {})
            row[pair] = (row.get(pair, value) + value) / 2
        return found

    def expected_accuracy(self) -> dict[str, float]:
        """Return how often each judge says what is true, over the results as they are."""
        share = self.class_probabilities.mean(axis=0)
        diagonal = np.einsum("jtt->jt", self.confusion_matrices)
        return dict(zip(self.judges, (diagonal @ share).tolist(), strict=True))


def fit(judgements: Sequence[Judgement]) -> DawidSkene:
    """Fit the judges' tables to their verdicts; judgements without a value are passed over.

    The result does not depend on the order of the judgements or of the names.
    """
    usable = [one for one in judgements if one.score is not None]
    judges = tuple(sorted({one.judge for one in usable}))
    ways = _orientations(usable)
    said = _verdict_matrix(usable, judges, ways)
    results, tables = _majority_vote(said), _with_human_fixed(judges)
    for _ in range(_MAX_ITERATIONS if ways else 0):
        tables = _with_human_fixed(judges, _m_step(said, results))
        following = _e_step(said, tables, _class_priors(results))
        moved, results = float(np.abs(following - results).max()), following
        if moved < _TOLERANCE:
            break
    pairs, first_is_longer = tuple((way[0], way[1]) for way in ways), np.array([way[2] for way in ways], bool)
    return DawidSkene(judges, pairs, tables, results, said, first_is_longer)


def robust_pair_scores(judgements: Sequence[Judgement]) -> dict[int | str, dict[Pair, float]]:
    """Return by prompt and pair, what `pair[0]` gets, bad judges discounted; one judge alone: what it said."""
    several = len({one.judge for one in judgements if one.score is not None}) > 1
    return fit(judgements).pair_scores() if several else mean_pair_scores(judgements)


def _orientations(usable: Sequence[Judgement]) -> list[_Orientation]:
    """Return each pair once, or both ways round where neither answer is longer, so that names decide nothing."""
    sides = {(one.prompt, one.pair): one.longer for one in usable}
    ways = [
        (*key, first) for key, side in sides.items() for first in (True, False) if side in (0, 2 * first - 1)
    ]
    return sorted(ways, key=lambda way: (str(way[0]), *way[1:]))


def _verdict_matrix(
    usable: Sequence[Judgement], judges: Sequence[str], ways: Sequence[_Orientation]
) -> NDArray[np.int64]:
    row = {way: index for index, way in enumerate(ways)}
    column = {judge: index for index, judge in enumerate(judges)}
    said = np.full((len(ways), len(judges)), _MISSING, dtype=np.int64)
    for one in usable:
        for first_is_longer in (True, False):
            at = row.get((one.prompt, one.pair, first_is_longer))
            if at is not None:
                said[at, column[one.judge]] = _verdict_of(one, first_is_longer)
    return said


def _verdict_of(one: Judgement, first_is_longer: bool) -> int:
    if one.score == 0.5:
        return ALIKE
    return LONGER if (one.score == 1.0) == first_is_longer else SHORTER


def _class_priors(results: Array) -> Array:
    """Return how common each result is, [3]; a handful of pairs is no proof that one never happens."""
    return np.asarray((results.sum(axis=0) + _PSEUDO_COUNT) / (len(results) + 3 * _PSEUDO_COUNT))


def _majority_vote(said: NDArray[np.int64]) -> Array:
    """Return each result's share of the verdicts, softened by one vote for each; [n, 3]."""
    votes = np.stack([(said == result).sum(axis=1) for result in range(3)], axis=1) + 1 / 3
    return np.asarray(votes / votes.sum(axis=1, keepdims=True))


def _m_step(said: NDArray[np.int64], results: Array) -> Array:
    """[j, 3, 3] from soft counts."""
    spoken = np.stack([said == result for result in range(3)], axis=2).astype(np.float64)
    counts = np.einsum("nt,njs->jts", results, spoken) + _PRIOR_COUNTS
    return np.asarray(counts / counts.sum(axis=2, keepdims=True))


def _e_step(said: NDArray[np.int64], tables: Array, share: Array) -> Array:
    """[n, 3]: the results' probabilities given what the judges said."""
    logs = np.tile(np.log(share), (len(said), 1))
    for judge in range(said.shape[1]):
        heard = np.flatnonzero(said[:, judge] != _MISSING)
        logs[heard] += np.log(tables[judge][:, said[heard, judge]]).T
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _with_human_fixed(judges: Sequence[str], tables: Array | None = None) -> Array:
    if tables is None:
        tables = np.tile(_PRIOR_COUNTS / _PRIOR_COUNTS.sum(axis=1, keepdims=True), (len(judges), 1, 1))
    tables = tables.copy()
    tables[[judge == HUMAN for judge in judges]] = _HUMAN_CONFUSION
    return tables


def confusion_matrices_of(found: DawidSkene) -> Mapping[str, list[list[float]]]:
    """Return the judges' tables by name, rounded, for reports."""
    return {
        judge: found.confusion_matrices[index].round(3).tolist() for index, judge in enumerate(found.judges)
    }
