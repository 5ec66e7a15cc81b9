"""Data frames and dollars in Python: partial results say so, ids keep their type, money is in dollars."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from tasks.store.engine import Store
from tests.support import store_builders
from workers import Waybill
from workers.batch import Batch


def _answered(waybill: Waybill, store: Store, lines: list[dict[str, Any]]) -> Batch:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bad lines
        batch = waybill.submit(
            [{"prompt": f"prompt {n}", "model": "small", **one} for n, one in enumerate(lines)]
        )
    store_builders.settle_all(store, batch.status().batch_no, model="small")
    return batch


def test_a_data_frame_in_mid_batch_says_that_it_is_partial(waybill: Waybill, store: Store) -> None:
    with waybill:
        batch = waybill.submit([{"prompt": "a", "model": "small"}])
        with pytest.warns(
            UserWarning, match=rf"{batch.id} is in_progress: the data frame is partial, 0 of 1 req"
        ):
            assert len(batch.to_pandas()) == 0
        store_builders.settle_all(store, batch.status().batch_no, model="small")
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            assert len(batch.to_pandas()) == 1


@pytest.mark.parametrize(
    ("ids", "found", "dtype"),
    [
        ([7, 8], [7, 8], "int64"),
        ([np.int64(7), np.int64(-8)], [7, -8], "int64"),
        (["7", "8"], ["7", "8"], "object"),
        (["007", "a"], ["007", "a"], "object"),
        ([7, "a"], ["7", "a"], "object"),
        ([None, None], ["line-1", "line-2"], "object"),
        ([7, None], [7, None], "Int64"),
        ([7.0, float("nan")], [7, None], "Int64"),
        (["a", None], ["a", "line-2"], "object"),
    ],
)
def test_ids_keep_their_type_in_a_data_frame(
    waybill: Waybill, store: Store, ids: list[Any], found: list[Any], dtype: str
) -> None:
    with waybill:
        frame = _answered(waybill, store, [{"id": one} for one in ids]).to_pandas()
    assert frame["custom_id"].astype(object).where(frame["custom_id"].notna(), None).tolist() == found
    assert str(frame["custom_id"].dtype) in (dtype, dtype.replace("object", "str"))


def test_the_id_of_a_bad_line_keeps_its_type_too(waybill: Waybill, store: Store) -> None:
    with waybill:
        frame = _answered(waybill, store, [{"id": 7}, {"id": 8, "prompt": None}]).to_pandas()
    assert frame["custom_id"].tolist() == [7, 8]


def test_money_is_read_in_dollars(waybill: Waybill, store: Store) -> None:
    with waybill:
        batch = waybill.submit([{"prompt": "a", "model": "small"}], budget=2.5)
        requests = store_builders.held(store, batch.status().batch_no)
        store_builders.reserve(store, requests)
        assert (batch.status().budget_usd, batch.status().cost_usd) == (2.5, 0.0)
        assert batch.status().reserved_usd == batch.status().reserved / 1e6 > 0
        store_builders.settle(store, requests, cost=40)
        state = batch.status()
    assert (state.cost_usd, state.reserved_usd, state.projected_usd, state.saved_usd) == (
        0.00004,
        0.0,
        0.00004,
        0.0,
    )
