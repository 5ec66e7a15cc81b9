"""The Python API."""

import asyncio
import json
import math
import sys
import threading
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tasks.errors import UsageError
from tasks.formats.errors import FormatError, OptionsError
from tasks.store import batches
from tasks.store.batch_progress import Progress
from tasks.store.engine import Store
from tasks.store.health import model_errors, workers
from tasks.store.health.model_errors import FailedCalls
from tasks.store.waiting import over_budget
from tests.support import store_builders
from tests.support.comparisons import assert_fields
from tests.support.one_model import named, waybill_of, write_settings
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


def test_a_file_is_submitted_by_its_path(waybill: Waybill, tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("one\ntwo\n")
    batch = waybill.submit(file, route_only=True)
    state = batch.status()
    assert_fields(state, total=2, source=str(file), route_only=True)


def test_a_single_text_is_refused(waybill: Waybill) -> None:
    with pytest.raises(TypeError, match="one text"):
        waybill.submit("prompts.txt")


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


def test_a_data_frame_is_submitted_by_its_prompt_column_never_as_its_column_names(
    waybill: Waybill,
) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"ticket": [7, 8], "text": ["a", "b"], "note": ["x", "y"]})
    with waybill:
        with pytest.raises(OptionsError, match="it has ticket, text, note"):
            waybill.submit(frame)
        with pytest.warns(UserWarning, match="columns that are not read: note"):
            batch = waybill.submit(frame, prompt_column="text", id_column="ticket", strict=True)
        assert batch.status().total == 2


@pytest.mark.parametrize("label", [3, 1.5, datetime(2026, 11, 30)])
def test_any_label_of_a_data_frame_names_its_column(waybill: Waybill, label: Any) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({label: ["a", "b"]})
    assert waybill.submit(frame, prompt_column=frame.columns[0], route_only=True).status().total == 2


@pytest.mark.parametrize(
    "option",
    [{"prompt_column": True}, {"prompt_column": b"ab"}, {"param_columns": b"ab"}, {"param_columns": [None]}],
)
def test_what_names_no_column_is_refused(waybill: Waybill, option: dict[str, Any]) -> None:
    [name] = option
    with pytest.raises(UsageError, match=f"{name} is the name of a column, not a"):
        waybill.submit(["a"], **option)


@pytest.mark.parametrize("column", [0, ("text", "de")])
def test_columns_are_named_as_the_table_names_them(waybill: Waybill, column: Any) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({column: ["a", "b"], ("id", 1): [7, 8]})
    frame.columns = [column, 1] if column == 0 else pandas.MultiIndex.from_tuples(frame.columns)
    names = {"prompt_column": column, "id_column": 1 if column == 0 else ("id", 1)}
    batch = waybill.submit(frame, strict=True, **names)
    assert batch.status().total == 2
    with pytest.raises(UsageError, match="prompt_column is the name of a column, not a list"):
        waybill.submit(frame, prompt_column=["a"])  # type: ignore[arg-type]


def test_a_missing_prompt_has_one_reason_in_every_kind_of_input(waybill: Waybill) -> None:
    pandas = pytest.importorskip("pandas")
    rows: list[dict[str, Any]] = [
        {"question": missing, "id": f"id {missing}"} for missing in (None, math.nan, "")
    ]
    given: list[tuple[Any, dict[str, Any]]] = [
        (rows, {"prompt_column": "question"}),
        (pandas.DataFrame(rows), {"prompt_column": "question"}),
        ([None, math.nan, ""], {}),
        ([{"prompt": missing} for missing in (None, math.nan, "")], {}),
    ]
    for prompts, options in given:
        found: list[str] = []
        with pytest.raises(UsageError, match="holds no request"):
            waybill.submit(prompts, on_error=lambda error: found.append(error.reason), **options)  # noqa: B023
        assert found == ["holds no prompt: it is empty, None or NaN"] * 3


def test_a_list_of_paths_is_one_batch_and_a_list_of_urls_one_of_prompts(
    waybill: Waybill, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"prompt {name}\n")
    with waybill:
        assert waybill.submit([tmp_path / "a.txt", tmp_path / "b.txt"]).status().total == 2
        assert waybill.submit(["https://example.org/a.jsonl"]).status().total == 1
        with pytest.raises(FormatError, match="cannot be opened"):
            waybill.submit("http://127.0.0.1:9/a.jsonl?token=secret")
        with pytest.raises(TypeError, match="not both"):
            waybill.submit([tmp_path / "a.txt", {"prompt": "x"}])


def test_a_dict_of_columns_is_a_table(waybill: Waybill) -> None:
    columns = {"ticket": [1, 2], "text": ["a", "b"]}
    with pytest.raises(
        OptionsError, match="no 'prompt' column; it has ticket, text; prompt_column= names it"
    ):
        waybill.submit(columns)
    with pytest.warns(UserWarning, match="columns that are not read: ticket"):
        batch = waybill.submit(columns, prompt_column="text", route_only=True)
    assert batch.status().total == 2
    assert waybill.submit({"prompt": np.array(["a", "b", "c"])}).status().total == 3
    with pytest.raises(OptionsError, match="different lengths: prompt 2, id 1"):
        waybill.submit({"prompt": ["a", "b"], "id": [1]})


@pytest.mark.parametrize(
    ("prompts", "says"),
    [
        ({"prompt": "a"}, "one request"),
        ({"messages": [{"role": "user", "content": "x"}]}, "one request"),
        ({"first": "a", "second": "b"}, "a list of its values"),
        ({"text": {0: "a", 1: "b"}}, "a list of its values"),
        (b"some bytes", "decode it"),
        ({"a", "b"}, "no order"),
        (None, "is a NoneType"),
        (5, "is a int"),
    ],
)
def test_what_yields_no_prompts_is_refused_and_nothing_is_bought(
    waybill: Waybill, prompts: Any, says: str
) -> None:
    with pytest.raises(TypeError, match=says):
        waybill.submit(prompts)
    assert waybill.batches() == []


def test_an_open_file_is_refused(waybill: Waybill, tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("one\ntwo\n")
    with file.open() as opened, pytest.raises(TypeError, match="open file"):
        waybill.submit(opened)


def test_conversations_and_arrow_arrays_are_prompts(waybill: Waybill) -> None:
    conversation = [{"role": "user", "content": "x"}]
    assert waybill.submit([conversation, conversation]).status().total == 2
    assert waybill.submit(pa.array(["a", "b"])).status().total == 2
    with pytest.raises(UsageError, match="a conversation is a list of messages"):
        waybill.submit(conversation)


def test_rows_without_a_prompt_are_warned_of_and_can_be_read(waybill: Waybill) -> None:
    with pytest.warns(
        UserWarning, match=r"3 lines were not sent: line 1 holds no prompt.*line 4 is a int"
    ) as w:
        batch = waybill.submit([None, float("nan"), "x", 4])  # type: ignore[list-item]
    assert len(_of_users(w)) == 1
    assert [(one.line, one.code) for one in batch.input_errors()] == [
        (1, "not_an_object"), (2, "not_an_object"), (4, "not_an_object")
    ]  # fmt: skip
    told: list[int] = []
    batch = waybill.submit([None, "x"], on_error=lambda error: told.append(error.line))  # type: ignore[list-item]
    assert (batch.status().invalid, told) == (1, [1])


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


def test_a_key_that_is_nearly_a_parameter_is_told(waybill: Waybill) -> None:
    lines = [{"prompt": f"say {n}", "max_tokenz": 5, "topic": "x"} for n in range(3)]
    with pytest.warns(UserWarning, match="is not read") as told:
        waybill.submit(lines)
    assert _of_users(told) == ["'max_tokenz' is not read; did you mean 'max_tokens'?"]


def _of_users(told: pytest.WarningsRecorder) -> list[str]:
    """What was said; the garbage collector warns of others' connections at any time."""
    return [str(one.message) for one in told if one.category is UserWarning]


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


def test_defaults_are_for_the_prompts_that_set_nothing_themselves(waybill: Waybill, store: Store) -> None:
    given = {"system": "Be brief.", "temperature": 0, "max_tokens": 9}
    batch = waybill.submit([*named("a"), {"prompt": "b", "model": "small", "max_tokens": 5}], **given)  # type: ignore[arg-type]
    bodies = [json.loads(one.body) for one in store_builders.held(store, batch.status().batch_no)]
    assert [(one["temperature"], one["max_tokens"]) for one in bodies] == [(0, 9), (0, 5)]
    assert bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}


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
