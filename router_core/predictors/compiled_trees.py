"""Fast prediction by small LightGBM trees: numpy evaluates all trees on all prompts of a chunk at once.

LightGBM walks one tree for one prompt at a time, which takes several times as long. A tree of a few splits is
a table: the outcomes of its splits are the bits of a number, which is the index of the leaf's value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: The most splits of a tree, as their outcomes must fit into a byte.
MAX_SPLITS = 8
#: The bits of LightGBM's `decision_type` for categorical splits and for the handling of missing values.
_UNSUPPORTED = 0b1101


@dataclass(frozen=True)
class CompiledTrees:
    """The trees of m boosters: t trees in all, of at most s splits each.

    Attributes:
        features: The feature of each split, [s, t].
        thresholds: The threshold of each split, [s, t, 1]; a value above it goes right.
        leaves: The value for each combination of outcomes, [t, 2 ** s].
        ends: The trees of booster i end before `ends[i]`.
    """

    features: NDArray[np.intp]
    thresholds: Array
    leaves: NDArray[np.float64]
    ends: tuple[int, ...]

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> CompiledTrees | None:
        """Read the texts of LightGBM regressors.

        Returns:
            The trees, or None if any is too large, or has splits that are not plain comparisons.

        Raises:
            ValueError: A text is damaged.
            KeyError: A text is damaged.
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
            if count := _splits(tree):
                features[:count, column] = _numbers(tree["split_feature"])
                thresholds[:count, column, 0] = _numbers(tree["threshold"])
            leaves[column] = _leaf_table(tree, count, splits)
        return cls(features, _rounded_down(thresholds), leaves, tuple(accumulate(map(len, forest))))

    def predict(self, inputs: Array) -> Array:
        """Return each booster's prediction for finite inputs [n, k], float32 [n, m].

        It equals LightGBM's to the last bit: the trees' values are added in float64, in the same order.
        """
        if len(inputs) == 1:  # numpy would add the numbers of a single column in another order
            return self.predict(np.repeat(inputs, 2, axis=0))[:1]
        right = np.ascontiguousarray(inputs.T).take(self.features, axis=0) > self.thresholds
        codes = np.zeros(right.shape[1:], dtype=np.uint8)
        for bit, outcome in enumerate(right.view(np.uint8)):
            codes |= outcome << bit
        index = codes + np.arange(0, self.leaves.size, self.leaves.shape[1])[:, None]
        values = self.leaves.ravel().take(index)
        sums = [values[start:end].sum(axis=0) for start, end in pairwise((0, *self.ends))]
        return np.array(sums, dtype=np.float32).reshape(len(self.ends), len(inputs)).T


def _trees(text: str) -> list[dict[str, str]]:
    """Return the entries of each tree in a booster's text, by name; no tree for an empty text."""
    trees = text.partition("end of trees")[0].split("\nTree=")[1:]
    if text and (not trees or "end of trees" not in text):
        raise ValueError("a booster without trees")
    return [dict(line.split("=", 1) for line in tree.splitlines() if "=" in line) for tree in trees]


def _splits(tree: Mapping[str, str]) -> int:
    """Return the number of splits of a tree."""
    return int(tree["num_leaves"]) - 1


def _is_plain(tree: Mapping[str, str]) -> bool:
    """Return whether a tree is small, compares numbers only, and has constants as leaves."""
    unsupported = [int(kind) & _UNSUPPORTED for kind in tree.get("decision_type", "").split()]
    small = 0 <= _splits(tree) <= MAX_SPLITS
    return small and not any(unsupported) and tree["num_cat"] == tree["is_linear"] == "0"


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split()]


def _leaf_table(tree: Mapping[str, str], count: int, splits: int) -> list[float]:
    """Return a tree's value for each outcome of `splits` splits, of which it has `count`.

    Bit i of the index is set where split i goes right.
    """
    values = _numbers(tree["leaf_value"])
    if len(values) != count + 1:
        raise ValueError("a tree has another number of leaves than it says")
    if not count:
        return values * (1 << splits)
    children = [[int(child) for child in tree[side].split()] for side in ("left_child", "right_child")]
    return [values[_leaf(children, code)] for code in range(1 << splits)]


def _leaf(children: Sequence[Sequence[int]], code: int) -> int:
    """Return the leaf for the outcomes in `code`; LightGBM writes leaf i as child -1 - i."""
    node = 0
    for _ in children[0]:
        node = children[code >> node & 1][node]
        if node < 0:
            return -1 - node
    raise ValueError("a tree has a loop")


def _rounded_down(thresholds: NDArray[np.float64]) -> Array:
    """Return the highest float32 not above each threshold; a float32 is above both or neither."""
    nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)
