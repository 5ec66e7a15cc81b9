"""The category classifier's inputs."""

import numpy as np

from router_core.features.prompt_features import BUCKETS, PromptFeatures, column, edge_columns
from router_core.features.shape import SHAPES
from router_core.features.surface import FEATURES


def test_the_instruction_is_seen_on_either_side_of_a_long_document():
    document = "The committee met on Monday. " * 200
    for prompt in (f"Summarize this. {document}", f"{document} Summarize this."):
        assert {column("summarize"), column("summa*")} <= set(edge_columns(prompt))
    assert {column("^write"), column("$0")} <= set(edge_columns("Write a number below 7"))


def test_any_text_has_finite_category_inputs():
    table = PromptFeatures.of(
        np.zeros((3, 4), dtype=np.float32), ["", "\ud800 \x00", "总结" * 10_000]
    ).category_inputs()
    assert table.shape == (3, 4 + len(FEATURES) + len(SHAPES) + BUCKETS)
    assert np.isfinite(table).all()
