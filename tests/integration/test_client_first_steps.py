"""What a newcomer meets in Python: the order of answers, warnings, short texts of objects, and errors."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import BatchWithoutRequests, SettingsError, UnknownBatch, UsageError
from tasks.store import batches
from tasks.store.batch_progress import Progress, Rate
from tasks.store.engine import Store
from tasks.store.health.model_errors import ModelError
from tasks.store.health.waits import Wait
from tests.support import store_builders
from tests.support.comparisons import assert_fields
from tests.support.one_model import write_settings
from tests.support.progress import DONE
from waybill import AsyncWaybill, Batch, ServerError, Waybill
from workers.views.health import health_lines
from workers.waiting.display import progress_display
from workers.waiting.told import Told


@contextmanager
def _recorded() -> Iterator[list[warnings.WarningMessage]]:
    """Note all warnings."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield told


def _tickets() -> Any:
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(
        {"ticket": [7, 8, 9, 7], "text": ["a", None, "b", "c"], "seed": [1] * 4, "model": ["small"] * 4}
    )


def _submitted(waybill: Waybill, frame: Any) -> Batch:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bad lines and columns
        return waybill.submit(frame, prompt_column="text", id_column="ticket")


def test_a_data_frame_has_bad_lines_at_their_places(waybill: Waybill, store: Store) -> None:
    tickets = _tickets()
    batch = _submitted(waybill, tickets)
    store_builders.settle_all(store, batch.status().batch_no, model="small")
    assert [one.line for one in batch.results()] == [1, 3, 2, 4]
    frame = batch.to_pandas()
    assert frame["line"].tolist() == [1, 2, 3, 4]
    assert frame.index.tolist() == [0, 1, 2, 3]
    assert frame["custom_id"].tolist() == tickets["ticket"].tolist()


def test_answers_are_merged_on_the_ids(waybill: Waybill, store: Store) -> None:
    tickets = _tickets()
    batch = _submitted(waybill, tickets)
    store_builders.settle_all(store, batch.status().batch_no, model="small")
    answers = batch.to_pandas()[["custom_id", "line", "error_code"]]
    merged = tickets.merge(answers, how="left", left_on="ticket", right_on="custom_id")
    # The id that stands twice meets both of its lines, twice.
    assert merged["line"].tolist() == [1, 4, 2, 3, 1, 4]


@pytest.mark.parametrize("none", [[], "none", ["none"]])
def test_no_column_is_a_parameter_where_none_is_named(waybill: Waybill, none: Any) -> None:
    tickets = _tickets().drop(columns="model").head(1)
    with pytest.warns(UserWarning, match=r"parameters: seed \(param_columns=\[\] sends none of them\)"):
        waybill.submit(tickets, prompt_column="text", id_column="ticket")
    with pytest.warns(UserWarning, match="columns that are not read: ticket, seed"):
        batch = waybill.submit(tickets, prompt_column="text", param_columns=none)
    assert (batch.status().total, batch.status().invalid) == (1, 0)


def test_warnings_name_the_line_of_the_user(waybill: Waybill) -> None:
    with _recorded() as told:
        batch = waybill.submit([{"prompt": "a"}, {"nothing": 1}, {"prompt": "b", "max_tokenz": 1}])
        batch.to_pandas()
        with pytest.raises(TimeoutError):
            batch.wait(timeout=0, progress=False)
    files = {one.filename for one in told if one.category is UserWarning}
    assert files == {__file__}
    # A bad line, a slip, a partial frame, and what holds the batch up.
    assert len([one for one in told if one.category is UserWarning]) == 4


def test_awaited_methods_name_the_line_of_the_user_though_they_run_in_threads(
    waybill: Waybill, tmp_path: Path
) -> None:
    async def told_where() -> None:
        async with AsyncWaybill(tmp_path / "waybill.toml") as twin:
            batch = await twin.submit([{"prompt": "a"}, {"nothing": 1}])
            await asyncio.create_task(batch.to_pandas())
            with pytest.raises(TimeoutError):
                await batch.wait(timeout=0, progress=False)

    with _recorded() as told:
        asyncio.run(told_where())
    files = [one.filename for one in told if one.category is UserWarning]
    assert files == [__file__] * 3


def test_waiting_again_says_nothing_twice(waybill: Waybill) -> None:
    batch = waybill.submit(["a"])
    with pytest.warns(UserWarning, match="workers ran"), pytest.raises(TimeoutError):
        batch.wait(timeout=0, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        with pytest.raises(TimeoutError):
            batch.wait(timeout=0, progress=False)


def test_of_missing_workers_only_new_ones_are_told() -> None:
    waiting = replace(DONE, status="in_progress", missing_roles=("embed", "route"))
    with _recorded() as told, progress_display(False) as show:
        for roles in (("embed", "route"), ("route",), ("route", "dispatch"), ("embed", "route")):
            show(replace(waiting, missing_roles=roles), Rate(0.0, None))
    said = [str(one.message).partition("because ")[2].partition(" ran")[0] for one in told]
    assert said == ["no embed, route workers", "no dispatch worker"]


def test_a_paused_batch_says_so_to_whoever_waits(waybill: Waybill) -> None:
    batch = waybill.submit(["a"])
    batch.pause()
    assert "in_progress, paused" in repr(batch.status())
    said = pytest.raises(TimeoutError, match=r"is in_progress, paused: .* `batch.resume\(\)` lets it go on")
    with pytest.warns(UserWarning, match=r"it is paused: .* `batch.resume\(\)`"), said:
        batch.wait(timeout=0, progress=False)
    assert_fields(batch.status(), is_paused=True, interrupted=False)


def test_calls_that_a_retry_mends_are_no_warnings_and_those_that_end_a_request_are() -> None:
    error = ModelError("small", "timeout", 2, 0, 0, 1.0, "timeout")
    runs = replace(DONE, status="in_progress", errors=(error,), finished_at=None)
    tried = Wait(reason="retry", requests=1, model="small", code="timeout", detail="timeout", tries=1)
    again = replace(runs, waits=(replace(tried, tries=3),))
    ended = replace(DONE, errors=(error,), failed=1)
    for state, is_said in [(runs, 0), (replace(runs, waits=(tried,)), 0), (DONE, 0), (again, 1), (ended, 1)]:
        with _recorded() as told, progress_display(False) as show:
            show(state, Rate(0.0, None))
            show(state, Rate(0.0, None))
        assert len(told) == is_said, state


def test_after_a_retry_earlier_failures_are_no_news() -> None:
    ended = replace(DONE, errors=(ModelError("small", "timeout", 2, 0, 0, 3_600.0, "timeout"),), failed=1)
    known = Told()
    with _recorded() as told:
        with progress_display(False, known) as show:
            show(ended, Rate(0.0, None))
        known.begin_again(time.monotonic())
        with progress_display(False, known) as show:
            show(ended, Rate(0.0, None))
            show(replace(ended, errors=(replace(ended.errors[0], seconds_ago=0.0),)), Rate(0.0, None))
    assert len(told) == 2


def test_a_retry_that_is_refused_makes_nothing_news(waybill: Waybill) -> None:
    batch = waybill.submit(["a"])
    assert batch.told.is_new("told")
    with pytest.raises(UsageError):
        batch.retry()
    assert not batch.told.is_new("told")


def test_without_workers_that_call_models_nothing_is_said_of_their_tries() -> None:
    waits = (Wait(reason="retry", requests=1, model="small", detail="timeout", tries=2),)
    state = replace(DONE, status="in_progress", finished_at=None, waits=waits)
    assert [line for line in health_lines(state) if "the next try" in line or "on its way" in line]
    [line] = health_lines(replace(state, missing_roles=("dispatch",)))
    assert line.startswith("it waits, because no dispatch worker")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ServerError])
def test_an_interrupted_wait_says_that_the_batch_goes_on(
    waybill: Waybill, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    batch = waybill.submit(["a"])

    def interrupted(_: Batch) -> Progress:
        raise kind

    monkeypatch.setattr(Batch, "status", interrupted)
    with pytest.raises(kind) as caught:
        batch.wait()
    (note,) = caught.value.__notes__
    assert note.startswith(f"{batch.id} goes on: `waybill.batch('{batch.id}')`")


def test_progress_and_connections_have_short_texts(waybill: Waybill) -> None:
    short = "Progress(batch_1 of 1970-01-01 00:00 UTC: completed, 10 of 10 done, 0 failed, $2.0000)"
    assert repr(DONE) == short
    assert "batch_1 'tickets' of" in repr(replace(DONE, name="tickets"))
    assert "10 of 10 done, 0 failed, 4 cancelled" in repr(replace(DONE, succeeded=6, cancelled=4))
    assert "0 failed, 4 bad lines, $" in repr(replace(DONE, invalid=4))
    assert repr(waybill).startswith(("Waybill('sqlite:///", "Waybill('postgresql+psycopg://"))
    with Waybill(url="http://127.0.0.1:1", key="sk-wb-secret") as server:
        assert repr(server) == "Waybill('http://127.0.0.1:1/v1')"


def test_a_batch_that_is_not_there_says_where_it_was_looked_for(waybill: Waybill) -> None:
    said = r"\((sqlite|postgresql).*\): for another, (start|set) "
    for batch_id in (None, "batch_nothere"):
        with pytest.raises(UnknownBatch, match=said) as caught:
            waybill.batch(batch_id)
        assert repr(waybill)[9:-2] in str(caught.value)


def test_a_batch_that_is_there_without_requests_names_no_other_store(
    waybill: Waybill, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*_: object) -> str:
        raise BatchWithoutRequests("batch_1 failed its check")

    monkeypatch.setattr(batches, "full_id", found)
    with pytest.raises(BatchWithoutRequests, match=r"^batch_1 failed its check$"):
        waybill.batch("batch_1")


@pytest.mark.parametrize(
    ("hosts", "shown"),
    [("host", "host/db"), ("a:1,b:2", "/db?host=a%2Cb&port=1%2C2")],
)
def test_a_password_of_the_store_is_shown_nowhere_and_its_hosts_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hosts: str, shown: str
) -> None:
    from workers.backends import store

    monkeypatch.setattr(store, "ensure_schema", lambda _: None)
    twin = AsyncWaybill(
        write_settings(tmp_path, f"postgresql+psycopg://me:secret@{hosts}/db?password=secret")
    )
    assert repr(twin) == f"AsyncWaybill('postgresql+psycopg://me:***@{shown}')"
    twin.client.close()


def test_without_models_the_ways_to_some_are_named(store_url: str, tmp_path: Path) -> None:
    config = tmp_path / "waybill.toml"
    config.write_text(f'[store]\nurl = "{store_url}"\n')
    with Waybill(config) as waybill, pytest.raises(SettingsError, match="`waybill init`") as refused:
        waybill.submit(["a"])
    # At a team's store a stack would be a second one.
    assert ("`waybill up --simulate`" in str(refused.value)) is store_url.startswith("sqlite")
