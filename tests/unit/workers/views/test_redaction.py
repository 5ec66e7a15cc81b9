"""What a key may see of a batch's progress."""

from dataclasses import replace

from tasks.store.api.keys import Key
from tasks.store.batch_progress import PausedModel
from tasks.store.health.waits import Wait
from tests.support.comparisons import assert_fields
from tests.support.progress import DONE
from workers.views.redaction import for_key

KEY = Key("key_1", "team", 0, None, None, None, None, None, None, "normal")
HELD_UP = replace(
    DONE,
    paused=(PausedModel("small", "invalid key", 3.0), PausedModel("secret", "invalid key", 3.0)),
    waits=(
        Wait(reason="money", requests=1),
        Wait(reason="model", requests=1, model="small"),
        Wait(reason="model", requests=1, model="secret"),
    ),
    silent_redis="redis://10.0.0.7:6379/0",
    refused_workers=("dispatch@h-1", "route@h-1"),
)


def test_where_redis_is_and_whom_it_refuses_is_for_operators() -> None:
    told = for_key(HELD_UP, KEY)
    assert_fields(told, silent_redis="ask who runs Waybill", refused_workers=("a worker",))
    assert (told.paused, told.waits) == (HELD_UP.paused, HELD_UP.waits)
    assert for_key(HELD_UP, replace(KEY, is_operator=True)) == HELD_UP


def test_of_models_that_a_key_may_not_use_nothing_is_said() -> None:
    told = for_key(HELD_UP, replace(KEY, models=("small",)))
    assert [one.model for one in told.paused] == ["small"]
    assert [one.model for one in told.waits] == [None, "small"]


def test_of_what_is_well_nothing_is_said() -> None:
    assert for_key(DONE, KEY) == DONE
