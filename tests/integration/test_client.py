"""The Python API."""

import asyncio
import sys
import threading
from pathlib import Path

import pytest

from tasks.errors import UsageError
from tasks.store import batches
from tasks.store.batch_progress import Progress
from tasks.store.engine import Store
from tasks.store.health import model_errors, workers
from tasks.store.health.model_errors import FailedCalls
from tasks.store.waiting import over_budget
from tests.support import store_builders
from tests.support.comparisons import assert_fields
from tests.support.one_model import named, write_settings
from waybill import AsyncBatch, AsyncWaybill, Batch, Waybill
from workers.errors import MissingPartError


def _answer_all(store: Store, batch_no: int) -> None:
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may be silent for longer than any machine stands still."""
    monkeypatch.setattr(workers, "SILENT_S", 3_600.0)


def _all_alive(store: Store) -> None:
    with store.write() as connection:
        for role in ("upkeep", "embed", "route", "dispatch"):
            queues = ["dispatch.small"] if role == "dispatch" else [role]
            workers.beat(connection, f"{role}@host-1", role=role, queues=queues)


def test_a_list_of_prompts_becomes_a_data_frame(waybill: Waybill, store: Store) -> None:
    _all_alive(store)
    with waybill:
        with pytest.warns(
            UserWarning, match=r"1 line was not sent: line 3 holds neither prompt nor messages"
        ):
            batch = waybill.submit([*named("a", "b"), {"nothing": 1}], budget=1.0)
        answers = threading.Thread(target=_answer_all, args=(store, batch.status().batch_no))
        answers.start()
        state = batch.wait(timeout=400)
        answers.join()
        frame = batch.to_pandas()
    assert_fields(state, status="completed", succeeded=2, budget=1_000_000)
    assert list(frame["line"]) == [1, 2, 3]
    assert list(frame["error_code"].fillna("")) == ["", "", "missing_messages"]


def test_waiting_ends_at_its_timeout_and_the_batch_goes_on(waybill: Waybill, store: Store) -> None:
    _all_alive(store)
    batch = waybill.submit(["a"])
    with pytest.raises(TimeoutError, match="0 of 1 done"):
        batch.wait(timeout=0)
    assert batch.status().status == "in_progress"


def test_waiting_says_which_workers_are_missing(waybill: Waybill) -> None:
    batch = waybill.submit(["a"])
    with (
        pytest.warns(UserWarning, match="no upkeep, route workers ran .* `waybill worker route`"),
        pytest.raises(TimeoutError, match="it waits, because no upkeep, route workers ran"),
    ):
        batch.wait(timeout=0)


def test_waiting_says_what_calls_fail_with(waybill: Waybill, store: Store) -> None:
    _all_alive(store)
    batch = waybill.submit(named("a"))
    failed = FailedCalls(batch.status().batch_no, "small", "model_not_found", 28, "model_not_found (404)")
    with store.write() as connection:
        model_errors.add(connection, [failed])
    said = (
        r"small: 28 calls failed with model_not_found \(404\), the first .* check its name and its api_base"
    )
    with pytest.warns(UserWarning, match=said), pytest.raises(TimeoutError, match=said):
        batch.wait(timeout=0)


def test_progress_is_quiet_where_nobody_looks(
    waybill: Waybill, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = waybill.submit(named("a"))
    _answer_all(store, batch.status().batch_no)
    batch.wait()
    assert capsys.readouterr() == ("", "")


def test_progress_is_drawn_in_a_terminal(
    waybill: Waybill, store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    batch = waybill.submit(named("a"))
    _answer_all(store, batch.status().batch_no)
    batch.wait()
    assert batch.id in capsys.readouterr().err


def test_a_batch_is_found_cancelled_and_retried(waybill: Waybill) -> None:
    batch = waybill.submit(["a", "b"])
    assert waybill.batch().id == waybill.batch(batch.id).id == batch.id
    with pytest.raises(UsageError):
        batch.retry()
    assert batch.cancel() == 2
    assert [r.error_code for r in batch.results()] == ["batch_cancelled"] * 2
    assert batch.retry(budget=0.5) == 2
    assert [(b.status, b.budget) for b in waybill.batches()] == [("in_progress", 500_000)]


def test_a_missing_pandas_isnamed(waybill: Waybill, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = waybill.submit(["a"])
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPartError, match=r"waybill\[notebook\]"):
        batch.to_pandas()


def test_a_batch_over_its_budget_says_what_would_be_enough_and_retry_asks_for_it(
    waybill: Waybill, store: Store
) -> None:
    _all_alive(store)
    batch = waybill.submit(named("a", "b", "c"), budget=0.000_120)
    first, *others = store_builders.held(store, batch.status().batch_no)
    store_builders.reserve(store, [first], worst=100)
    store_builders.settle(store, [first], cost=40)
    assert not store_builders.reserve(store, others, worst=100).granted
    with store.write() as connection:
        batches.lock(connection, others[0].batch_no)
        ends = [store_builders.without_call(one, over_budget("small")) for one in others]
        store_builders.ledger.apply_results(connection, others[0].batch_no, ends)
    said = (
        r"2 requests did not fit the budget of \$0.00012: retry with a budget of about \$0.0003 for the whole"
    )
    with pytest.warns(UserWarning, match=said):
        state = batch.wait()
    assert_fields(state, status="completed", budget_exhausted=True, budget_stops=2)
    with pytest.raises(UsageError, match=said):
        batch.retry()
    for no_more in (0.000_120, 0.000_110):
        with pytest.raises(UsageError, match=said):
            batch.retry(budget=no_more)
    assert batch.retry(budget=0.0003) == 2


def test_only_what_failed_or_only_answers_are_read(waybill: Waybill, store: Store) -> None:
    with pytest.warns(UserWarning, match="1 line was not sent"):
        batch = waybill.submit([*named("a", "b", "c"), {"nothing": 1}])
    first, *_ = store_builders.held(store, batch.status().batch_no)
    store_builders.reserve(store, [first])
    store_builders.settle(store, [first])
    batch.cancel()
    assert [one.line for one in batch.results(failed=False)] == [1]
    assert [one.line for one in batch.results(failed=True)] == [2, 3, 4]
    assert [one.line for one in batch.results()] == [1, 2, 3, 4]


def test_the_async_twin_has_every_method_and_does_the_same(
    store_url: str, store: Store, tmp_path: Path
) -> None:
    config = write_settings(tmp_path, store_url)

    async def run() -> tuple[list[int], Progress]:
        async with AsyncWaybill(config) as twin:
            batch = await twin.submit(named("a", "b"), temperature=0)
            await asyncio.to_thread(_answer_all, store, (await batch.status()).batch_no)
            state = await batch.wait(timeout=400)
            assert (await twin.batch()).id == batch.id
            return [record.line async for record in batch.results()], state

    lines, state = asyncio.run(run())
    assert lines == [1, 2]
    assert_fields(state, status="completed", succeeded=2)
    assert _methods(AsyncWaybill) == _methods(Waybill)
    assert _methods(AsyncBatch) | {"poll_s", "exhausted_text"} == _methods(Batch)


def _methods(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}
