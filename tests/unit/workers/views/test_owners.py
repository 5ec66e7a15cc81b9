"""What owners of keys see of a batch's troubles."""

from dataclasses import replace

from tasks.store.batch_progress import PausedModel
from tasks.store.health.waits import Wait
from tests.support.progress import DONE
from workers.views.owners import for_owner

PAUSED = tuple(PausedModel(name, "no answer", 60.0) for name in ("a", "b"))
WAITS = tuple(Wait(reason="rate", requests=1, model=name, detail="60 a minute") for name in ("a", "b"))
MONEY = Wait(reason="money", requests=1)
STATE = replace(
    DONE,
    silent_redis="redis://10.0.0.1:6379/0",
    refused_workers=("route@h-1", "route@h-2"),
    paused=PAUSED,
    waits=(*WAITS, MONEY),
)


def test_an_owner_learns_that_redis_is_silent_or_refuses_and_neither_where_nor_whom() -> None:
    shown = for_owner(STATE, None)
    assert (shown.silent_redis, shown.refused_workers) == ("ask who runs Waybill", ("a worker",))
    fine = for_owner(DONE, None)
    assert (fine.silent_redis, fine.refused_workers) == (None, ())


def test_an_operator_learns_where_and_whom() -> None:
    assert for_owner(STATE, None, is_operator=True) == STATE


def test_an_owner_hears_of_the_models_of_its_key_and_of_what_is_no_models() -> None:
    for is_operator in (False, True):
        shown = for_owner(STATE, {"a"}, is_operator=is_operator)
        assert (shown.paused, shown.waits) == (PAUSED[:1], (WAITS[0], MONEY))
