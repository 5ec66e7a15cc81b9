"""Small trees: all of a booster's trees on all of a chunk's prompts at once, by numpy.

LightGBM's own walk, a prompt and a tree at a time, takes several times as long. A tree of a few splits is a
table: the outcomes of its splits, read as the bits of a number, name the leaf.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: Splits whose outcomes fit a byte; a tree with more is LightGBM's to walk.
MOST_SPLITS = 8
#: LightGBM's `decision_type`: the bits of a categorical split, and of values that count as missing.
_SPECIAL = 0b1101


@dataclass(frozen=True)
class CompiledTrees:
    """The trees of m boosters, t in all, of at most s splits each.

    `features` [s, t] and `thresholds` [s, t, 1] are the splits', `leaves` [t, 2 ** s] what each outcome leads
    to; booster i's trees end before `ends[i]`.
    """

    features: NDArray[np.intp]
    thresholds: Array
    leaves: NDArray[np.float64]
    ends: tuple[int, ...]

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> CompiledTrees | None:
        """Read LightGBM's texts of regressions; None for trees that are not small or do more than compare.

        Raises ValueError or KeyError for damaged text.
        """
        forest = [_trees(text) for text in texts]
        trees = list(chain.from_iterable(forest))
        if not all(map(_is_plain, trees)):
            return None
        splits = max((_splits(tree) for tree in trees), default=0)
        features = np.zeros((splits, len(trees)), dtype=np.intp)
        thresholds = np.full((splits, len(trees), 1), np.inf)
        leaves = np.zeros((len(trees), 1 << splits))
        for column, tree in enumerate(trees):
            if own := _splits(tree):
                features[:own, column] = _numbers(tree["split_feature"])
                thresholds[:own, column, 0] = _numbers(tree["threshold"])
            leaves[column] = _table(tree, own, splits)
        return cls(features, _rounded_down(thresholds), leaves, tuple(accumulate(map(len, forest))))

    def predict(self, points: Array) -> Array:
        """Return each booster's sum of the leaves that finite points [n, k] reach, float32 [n, m].

        They are the sums that LightGBM gives: float64, added tree by tree.
        """
        if len(points) == 1:  # numpy would add a single column's numbers in another order
            return self.predict(np.repeat(points, 2, axis=0))[:1]
        right = np.ascontiguousarray(points.T).take(self.features, axis=0) > self.thresholds
        codes = np.zeros(right.shape[1:], dtype=np.uint8)
        for bit, one in enumerate(right.view(np.uint8)):
            codes |= one << bit
        places = codes + np.arange(0, self.leaves.size, self.leaves.shape[1])[:, None]
        found = self.leaves.ravel().take(places)
        sums = [found[start:end].sum(axis=0) for start, end in pairwise((0, *self.ends))]
        return np.array(sums, dtype=np.float32).reshape(len(self.ends), len(points)).T


def _trees(text: str) -> list[dict[str, str]]:
    """Return what a booster's text says of each tree, by name."""
    trees = text.partition("end of trees")[0].split("\nTree=")[1:]
    if text and (not trees or "end of trees" not in text):
        raise ValueError("a booster without trees")
    return [dict(line.split("=", 1) for line in tree.splitlines() if "=" in line) for tree in trees]


def _splits(tree: Mapping[str, str]) -> int:
    return int(tree["num_leaves"]) - 1


def _is_plain(tree: Mapping[str, str]) -> bool:
    kinds = [int(kind) & _SPECIAL for kind in tree.get("decision_type", "").split()]
    return (
        0 <= _splits(tree) <= MOST_SPLITS and not any(kinds) and tree["num_cat"] == tree["is_linear"] == "0"
    )


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split()]


def _table(tree: Mapping[str, str], own: int, splits: int) -> list[float]:
    """Return the leaf's value for each outcome of the splits; bit i is set where split i goes right."""
    values = _numbers(tree["leaf_value"])
    if len(values) != own + 1:
        raise ValueError("a tree has another number of leaves than it says")
    if not own:
        return values * (1 << splits)
    children = [[int(child) for child in tree[side].split()] for side in ("left_child", "right_child")]
    return [values[_leaf(children, code)] for code in range(1 << splits)]


def _leaf(children: Sequence[Sequence[int]], code: int) -> int:
    """Return the leaf that a code leads to; LightGBM writes leaf i as the child -1 - i."""
    node = 0
    for _ in children[0]:
        node = children[code >> node & 1][node]
        if node < 0:
            return -1 - node
    raise ValueError("a tree has a loop")


def _rounded_down(thresholds: NDArray[np.float64]) -> Array:
    """Return the highest float32 not above each threshold: a float32 is above either or neither."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)
