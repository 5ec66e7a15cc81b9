"""Folds: equal prompts together, sizes equal."""

import numpy as np

from router_core.data.prompt_hash import prompt_hash
from router_core.data.splits import assign_folds, splits


def test_equal_prompts_share_a_fold_whatever_their_case_and_spacing():
    prompts = [f"prompt {index % 50}" for index in range(100)] + [" PROMPT  7\n"]
    fold = assign_folds(prompts, folds=5, seed=0)
    assert (fold[:50] == fold[50:100]).all()
    assert fold[100] == fold[7]
    assert prompt_hash("a b") != prompt_hash("ab")


def test_folds_are_of_equal_size_and_every_row_is_held_out_once():
    fold = assign_folds([str(index) for index in range(103)], folds=5, seed=0)
    assert set(np.bincount(fold)) <= {20, 21}
    held_out = np.concatenate([rows for _, rows in splits(fold)])
    assert sorted(held_out) == list(range(103))
    assert [set(training) & set(rows) for training, rows in splits(fold)] == [set()] * 5
