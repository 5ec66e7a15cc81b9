"""The options of the Python API: budgets, models, routing policies and connections."""

import asyncio
import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import UsageError
from tasks.store import batches
from tasks.store.engine import Store
from tests.support import store_builders
from tests.support.one_model import named, waybill_of
from waybill import AsyncWaybill, Waybill


@pytest.mark.parametrize(
    "budget", [0, -1, 1e-9, math.nan, math.inf, "5", True, Decimal("sNaN"), pytest.param(10**400, id="huge")]
)
def test_a_budget_is_a_number_of_dollars_above_none(waybill: Waybill, budget: Any) -> None:
    with pytest.raises(UsageError, match="a budget is"):
        waybill.submit(["x"], budget=budget)
    assert waybill.batches() == []
    batch = waybill.submit(["x"], budget=0.5)
    with pytest.raises(UsageError, match="a budget is"):
        batch.set_budget(budget)
    assert batch.status().budget == 500_000


def test_a_single_name_is_one_and_not_its_letters(waybill: Waybill) -> None:
    assert waybill.submit(["x"], models="small", validators="json").status().total == 1
    with pytest.raises(UsageError, match="no model 'sml'"):
        waybill.submit(["x"], models="sml")
    with pytest.raises(UsageError, match="a list of texts"):
        waybill.submit(["x"], models=[1])  # type: ignore[list-item]


@pytest.mark.parametrize(("option", "says"), [({"explore": 2}, "a share"), ({"dedupe": "some"}, "no dedupe")])
def test_options_outside_of_their_range_are_refused(waybill: Waybill, option: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        waybill.submit(["x"], **option)


def test_a_routing_policy_and_its_number_are_those_of_the_batch(waybill: Waybill, store: Store) -> None:
    twin = AsyncWaybill.__new__(AsyncWaybill)
    twin.client = waybill
    chosen = [
        waybill.submit(["a"], policy="saving", quality_floor=0.02).id,
        waybill.submit(["a"], cost_weight=0.1).id,  # a number alone selects its policy
        asyncio.run(twin.submit(["a"], budget_per_1000=2)).id,
    ]
    with store.read() as connection:
        stored = [batches.options_of(connection, batches.find(connection, one)["no"]) for one in chosen]
    numbers = [(one.policy, one.quality_floor, one.cost_weight, one.budget_per_1000) for one in stored]
    assert numbers == [
        ("saving", 0.02, None, None),
        ("weighted", 0.0, 0.1, None),
        ("budget", 0.0, None, 2.0),
    ]


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"policy": "cheap"}, "policy='cheap' is none of quality, saving"),
        ({"quality_floor": -0.1}, "quality_floor is a number from 0 on"),
        ({"cost_weight": "much"}, "cost_weight is a number from 0 on"),
        ({"budget_per_1000": math.nan}, "budget_per_1000 is a number from 0 on"),
        ({"policy": "budget"}, "needs budget_per_1000"),
    ],
)
def test_a_routing_policy_that_there_is_not_is_refused(waybill: Waybill, option: Any, says: str) -> None:
    for method in (waybill.submit, waybill.estimate):
        with pytest.raises(UsageError, match=says):
            method(["a"], **option)
    assert waybill.batches() == []


def test_defaults_are_for_the_prompts_that_set_nothing_themselves(waybill: Waybill, store: Store) -> None:
    given = {"system": "Be brief.", "temperature": 0, "max_tokens": 9}
    batch = waybill.submit([*named("a"), {"prompt": "b", "model": "small", "max_tokens": 5}], **given)  # type: ignore[arg-type]
    bodies = [json.loads(one.body) for one in store_builders.held(store, batch.status().batch_no)]
    assert [(one["temperature"], one["max_tokens"]) for one in bodies] == [(0, 9), (0, 5)]
    assert bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}


def test_a_key_a_url_and_a_settings_file_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="url= and key= go together"):
        Waybill(url="http://127.0.0.1:8080")
    with pytest.raises(UsageError, match="leave config= out"):
        Waybill(tmp_path / "waybill.toml", url="http://127.0.0.1:8080", key="sk-wb-a")
    with pytest.raises(UsageError, match="is the address of an API server") as caught:
        Waybill(url="http://user:secret@host", key="sk-wb-a")
    assert "secret" not in str(caught.value)
    with (
        Waybill(url="http://127.0.0.1:8080", key="sk-wb-a") as waybill,
        pytest.raises(UsageError, match="those of the API server"),
    ):
        _ = waybill.settings


def test_a_batch_that_names_no_budget_has_that_of_the_settings(store_url: str, tmp_path: Path) -> None:
    with waybill_of(tmp_path, store_url, "budget = 2.5") as waybill:
        assert waybill.submit(["a"]).status().budget == 2_500_000
        assert waybill.submit(["a"], budget=1).status().budget == 1_000_000
