"""`Waybill(url=…, key=…)`: the Python API at a real server, with the methods that it has at a store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pandas
import pytest
from openai import OpenAI

from tests.support.api import ApiServer
from tests.support.holding import Hold
from waybill import AsyncWaybill, Batch, UnknownBatch, UsageError, Waybill
from workers.backends.server import upload
from workers.errors import ServerError
from workers.simulator import SimulatorProcess

_TIMEOUT_S = 240.0
#: where nobody looks, waiting warns of calls that failed and of workers that are silent: both may be
pytestmark = pytest.mark.filterwarnings("ignore:batch_:UserWarning")


@pytest.fixture
def key(new_client: Callable[..., OpenAI]) -> str:
    return new_client().api_key


@pytest.fixture
def waybill(server: ApiServer, key: str) -> Iterator[Waybill]:
    with Waybill(url=server.url, key=key) as waybill:
        yield waybill


def test_a_data_frame_is_answered_by_a_server_as_by_a_store(waybill: Waybill) -> None:
    frame = pandas.DataFrame({"ticket": [7, 8, 9], "text": ["a", None, "[[sim:error=400]] b"]})
    with pytest.warns(UserWarning, match="1 line was not sent: line 2 "):
        batch = waybill.submit(
            frame,
            prompt_column="text",
            id_column="ticket",
            system="Be brief.",
            temperature=0,
            max_tokens=32,
            models=["sim-nano"],
            name="tickets",
            budget=1.0,
        )
    state = batch.wait(timeout=_TIMEOUT_S)
    assert (state.status, state.succeeded, state.failed, state.budget) == ("completed", 1, 1, 1_000_000)
    assert state.spent > 0
    assert state.name == "tickets"
    assert [(one.custom_id, one.line) for one in batch.results()] == [("7", 1), ("9", 3), ("8", 2)]
    assert [one.custom_id for one in batch.results(failed=False)] == ["7"]
    failed = list(batch.results(failed=True))
    assert [(one.custom_id, one.status_code, one.error_line) for one in failed] == [
        ("9", 400, None),
        ("8", None, 2),
    ]
    assert [(one.line, one.custom_id) for one in batch.input_errors()] == [(2, "8")]
    answers = batch.to_pandas()
    assert list(answers["custom_id"]) == ["7", "8", "9"]
    assert answers["model"][0] == "sim-nano"
    assert answers["cost_usd"].sum() == pytest.approx(state.spent / 1e6)
    assert waybill.batch().id == waybill.batch(batch.id).id == batch.id
    assert [one.batch_id for one in waybill.batches()] == [batch.id]
    assert batch.retry() == 1
    assert batch.wait(timeout=_TIMEOUT_S).failed == 1


def test_a_running_batch_is_steered_and_then_deleted(waybill: Waybill, simulator: SimulatorProcess) -> None:
    with Hold(simulator.client) as hold:
        batch = waybill.submit([f"{hold.marker} {number}" for number in range(3)], models="sim-nano")
        hold.await_calls(1)
        batch.pause()
        assert batch.status().paused_at is not None
        batch.resume()
        assert batch.status().paused_at is None
        batch.set_budget(2)
        assert batch.status().budget == 2_000_000
        with pytest.raises(UsageError, match="still runs"):
            batch.delete_data()
        with pytest.raises(UsageError, match=batch.id):
            batch.retry()
        with pytest.raises(TimeoutError, match="of 3 done"):
            batch.wait(timeout=0)
    state = batch.wait(timeout=_TIMEOUT_S)
    assert state.succeeded == 3
    with pytest.raises(UsageError):
        batch.pause()
    batch.delete_data()
    with pytest.raises(UsageError, match="its files were deleted"):
        list(batch.results())
    assert batch.status().spent == state.spent


def test_a_batch_is_cancelled(waybill: Waybill, simulator: SimulatorProcess) -> None:
    with Hold(simulator.client) as hold:
        batch = waybill.submit([f"{hold.marker} a"], models="sim-nano")
        hold.await_calls(1)
        batch.cancel()
    assert batch.wait(timeout=_TIMEOUT_S).status == "cancelled"
    assert batch.cancel() == 0


def test_what_a_server_cannot_do_is_said_before_anything_is_sent(waybill: Waybill) -> None:
    with pytest.raises(UsageError, match="route_only= is not for batches of an API server"):
        waybill.submit(["a"], route_only=True)
    with pytest.raises(UsageError, match="a batch of a server has one endpoint"):
        waybill.submit(["a", {"url": "/v1/responses", "input": "b"}])
    with pytest.raises(UsageError, match="holds no request: 1 bad line, the first at line 1"):
        waybill.submit([None])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="was not submitted: 1 bad line, the first at line 2"):
        waybill.submit(["a", 7], strict=True)  # type: ignore[list-item]
    with pytest.raises(UnknownBatch):
        waybill.batch("batch_0123456789abcdef")
    with pytest.raises(UnknownBatch):
        waybill.batch("../files")
    assert waybill.batches() == []


def test_nobody_sees_or_changes_the_batch_of_another_key(
    waybill: Waybill, server: ApiServer, new_client: Callable[..., OpenAI]
) -> None:
    batch_id = waybill.submit(["a"], models="sim-nano").id
    with Waybill(url=server.url, key=new_client().api_key) as other:
        batch = Batch(other._backend, batch_id)
        for attempt in (
            batch.status,
            batch.pause,
            batch.resume,
            batch.retry,
            batch.cancel,
            batch.delete_data,
            lambda: batch.set_budget(1),
            lambda: list(batch.results()),
        ):
            with pytest.raises(UnknownBatch):
                attempt()
        assert other.batches() == []
    assert waybill.batch(batch_id).wait(timeout=_TIMEOUT_S).status == "completed"


def test_a_wrong_key_and_a_wrong_address_say_so_without_the_key(server: ApiServer, key: str) -> None:
    with (
        Waybill(url=server.url, key="sk-wb-wrong") as waybill,
        pytest.raises(UsageError, match="key= is not valid at "),
    ):
        waybill.batches()
    with Waybill(url="http://127.0.0.1:1", key=key) as waybill:
        with pytest.raises(ServerError, match=r"127\.0\.0\.1:1/v1 does not answer: ConnectError") as caught:
            waybill.batches()
        assert key not in repr(caught.value)
        assert key not in repr(waybill) + str(vars(waybill))


def test_the_async_twin_does_the_same(server: ApiServer, key: str) -> None:
    async def run() -> tuple[int, list[str]]:
        async with AsyncWaybill(url=server.url, key=key) as waybill:
            first, second = await asyncio.gather(
                waybill.submit(["a", "b"], models="sim-nano"), waybill.submit(["c"], models="sim-nano")
            )
            states = await asyncio.gather(first.wait(timeout=_TIMEOUT_S), second.wait(timeout=_TIMEOUT_S))
            ids = [record.custom_id async for record in first.results()]
            return sum(state.succeeded for state in states), ids

    assert asyncio.run(run()) == (3, ["line-1", "line-2"])


def test_a_large_file_goes_in_parts(waybill: Waybill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "_WHOLE_BYTES", 0)
    monkeypatch.setattr(upload, "_PART_BYTES", 1_000)
    batch = waybill.submit([f"{number} {'x' * 300}" for number in range(10)], models="sim-nano")
    assert batch.wait(timeout=_TIMEOUT_S).succeeded == 10
    assert [record.custom_id for record in batch.results()] == [f"line-{number}" for number in range(1, 11)]


def test_a_column_that_no_model_takes_is_not_read_and_another_key_s_batch_is_explained(
    waybill: Waybill,
) -> None:
    tickets = pandas.DataFrame({"ticket": [7], "text": ["a"], "priority": ["high"]})
    with pytest.warns(UserWarning, match="columns that are not read: priority"):
        batch = waybill.submit(tickets, prompt_column="text", id_column="ticket", models="sim-nano")
    assert batch.wait(timeout=_TIMEOUT_S).succeeded == 1
    answers = batch.to_pandas()[["custom_id", "answer"]]
    merged = tickets.merge(answers, left_on=tickets["ticket"].astype(str), right_on="custom_id")
    assert merged["answer"].notna().all()
    with pytest.raises(UnknownBatch, match=r"no batch 'batch_0' at http://.*: a key sees only batches"):
        waybill.batch("batch_0")
