"""Waybill's own options in the metadata of a batch."""

import pytest

from tasks.batch_api.errors import ApiError
from tasks.batch_api.options import api_options


def test_options_are_read_from_texts_and_other_pairs_are_left_alone() -> None:
    metadata = {
        "project": "x",
        "waybill_partial": "true",
        "waybill_budget_usd": "1.5",
        "waybill_models": "a, b",
        "waybill_reuse": "30d",
        "waybill_fallback": "false",
    }
    options = api_options(metadata, "24h")
    assert (options.partial, options.budget, options.window_s) == (True, 1_500_000, 86_400)
    assert options.choices == {"models": ("a", "b"), "reuse": "30d", "fallback": False}


def test_a_deadline_outranks_the_completion_window() -> None:
    assert api_options({"waybill_deadline": "2h"}, "24h").window_s == 7_200


@pytest.mark.parametrize(
    "metadata",
    [
        {"waybill_": "x"},
        {"waybill_partial": "yes"},
        {"waybill_budget_usd": "-1"},
        {"waybill_budget_usd": "nan"},
        {"waybill_budget_usd": "inf"},
        {"waybill_budget_usd": "much"},
        {"waybill_explore": "1.01"},
        {"waybill_deadline": "59m"},
        {"waybill_deadline": "169h"},
        {"waybill_reuse": "long"},
        {"waybill_validate": "maybe"},
    ],
)
def test_a_wrong_value_is_refused_and_its_name_said(metadata: dict[str, str]) -> None:
    [name] = metadata
    with pytest.raises(ApiError) as refused:
        api_options(metadata, "24h")
    assert refused.value.param == f"metadata.{name}"
