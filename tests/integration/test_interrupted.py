"""Submissions that are interrupted: nothing is called or lost, and the batch is named and can go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from tasks.errors import NotResumed, UsageError
from tasks.stages.fair_claims import FairClaims
from tasks.store.engine import Store, now_ms
from tasks.store.health import senders, workers
from tasks.store.health.tables import worker
from tasks.store.tables import batch as batch_table
from tasks.store.tables import chunk, request
from tasks.submission import resumption, submit
from tests.support import store_builders
from tests.support.comparisons import assert_fields
from tests.support.waiting import wait_until
from waybill import Waybill
from workers.cli.watch import follow
from workers.views.status import status_text

PROMPTS = [{"prompt": f"say {n}", "model": "small"} for n in range(25)]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender may be silent for longer than any machine stands still."""
    monkeypatch.setattr(workers, "SILENT_S", 3_600.0)


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "SLICE_LINES", 10)
    monkeypatch.setattr(submit, "FIRST_LINES", 10)


def _interrupted(number: int = 15) -> Iterator[dict[str, str]]:
    yield from PROMPTS[:number]
    raise KeyboardInterrupt


def _claimable(store: Store) -> int:
    """Try to claim every chunk, as workers do; returns how many could be."""
    with store.read() as connection:
        found = connection.execute(select(chunk.c.id, chunk.c.epoch, chunk.c.stage)).all()
    claims = FairClaims(store, "worker", lease_s=60)
    return sum(claims.claim(one.id, one.epoch, stage=one.stage) is not None for one in found)


def _break_off(waybill: Waybill, **options: bool) -> str:
    with pytest.raises(KeyboardInterrupt) as interrupted:
        waybill.submit(_interrupted(), **options)
    batch_id: str = interrupted.value.batch_id  # type: ignore[attr-defined]
    assert batch_id in "".join(interrupted.value.__notes__)
    return batch_id


def test_nothing_begins_before_the_last_prompt_is_stored(waybill: Waybill, store: Store) -> None:
    def prompts() -> Iterator[dict[str, str]]:
        for n, prompt in enumerate(PROMPTS):
            if n == 20:
                assert _claimable(store) == 0
            yield prompt

    batch = waybill.submit(prompts())
    assert_fields(batch.status(), status="in_progress", total=25, paused_at=None, held=False, sending=None)
    assert _claimable(store) > 0


def test_a_stream_begins_at_once(waybill: Waybill, store: Store) -> None:
    def prompts() -> Iterator[dict[str, str]]:
        for n, prompt in enumerate(PROMPTS):
            if n == 20:
                assert _claimable(store) > 0
            yield prompt

    assert waybill.submit(prompts(), stream=True).status().total == 25


def test_an_interruption_names_the_batch_which_is_held_and_says_so(
    waybill: Waybill, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    batch_id = _break_off(waybill)
    assert capsys.readouterr().err.startswith(f"{batch_id}: the prompts are being stored")
    assert _claimable(store) == 0
    batch = waybill.batch(batch_id)
    assert_fields(batch.status(), status="ingesting", held=True, sending=False, broken_off=True)
    with pytest.raises(
        UsageError, match=r"interrupted after 10 lines; nothing of it is called yet"
    ) as stopped:
        batch.wait()
    assert f"`submit(…, resume='{batch_id}')` sends the rest, `batch.resume()` goes" in str(stopped.value)
    state = batch.status()
    assert status_text(state) == "ingesting, interrupted"
    assert status_text(state) in repr(state)
    with pytest.raises(UsageError, match="its submission was interrupted"):
        follow(store, batch_id)


def test_the_rest_is_sent_once(waybill: Waybill, store: Store) -> None:
    batch_id = _break_off(waybill)
    assert waybill.submit(iter(PROMPTS), resume=waybill.batch(batch_id)).id == batch_id
    assert_fields(waybill.batch(batch_id).status(), status="in_progress", total=25, sending=None)
    with store.read() as connection:
        assert connection.execute(select(func.count()).select_from(request)).scalar_one() == 25
    assert _claimable(store) > 0


def test_a_sender_that_reads_to_where_it_goes_on_is_alive(
    waybill: Waybill, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "BEAT_S", 0.01)
    batch_id = _break_off(waybill)

    def prompts() -> Iterator[dict[str, str]]:
        yield PROMPTS[0]
        with store.write() as connection:
            senders.gone(connection, batch_id)  # as if it had been silent for long
        wait_until(lambda: waybill.batch(batch_id).status().sending, timeout_s=240)
        yield from PROMPTS[1:]

    waybill.submit(prompts(), resume=batch_id)
    assert_fields(waybill.batch(batch_id).status(), status="in_progress", total=25, sending=None)


def test_a_batch_that_a_user_pauses_while_it_is_held_does_not_begin_with_its_last_prompt(
    waybill: Waybill, store: Store
) -> None:
    batch_id = _break_off(waybill)
    batch = waybill.batch(batch_id)
    batch.pause()
    assert_fields(batch.status(), held=False, sending=False)
    waybill.submit(iter(PROMPTS), resume=batch)
    assert_fields(batch.status(), status="in_progress", total=25)
    assert _claimable(store) == 0
    batch.resume()
    assert _claimable(store) > 0


def test_it_goes_on_with_what_was_sent_or_ends(waybill: Waybill, store: Store) -> None:
    first, second = waybill.batch(_break_off(waybill)), waybill.batch(_break_off(waybill))
    first.resume()
    assert_fields(first.status(), status="in_progress", total=10, paused_at=None, sending=None)
    assert second.cancel() == 10
    assert_fields(second.status(), status="cancelled", broken_off=False)


def test_a_sender_that_was_killed_is_missed_after_a_minute(waybill: Waybill, store: Store) -> None:
    batch_id = _break_off(waybill, stream=True)
    with store.write() as connection:
        senders.beat(connection, batch_id)
    assert_fields(waybill.batch(batch_id).status(), sending=True, broken_off=False)
    with store.write() as connection:
        silent = now_ms() - int(workers.SILENT_S * 1000) - 1
        connection.execute(update(worker).values(seen_at=silent))
    state = waybill.batch(batch_id).status()
    assert_fields(state, sending=False, held=False, broken_off=False)
    store_builders.settle_all(store, state.batch_no, model="small")
    with pytest.raises(UsageError, match="its submission was interrupted after 10 lines; they are worked on"):
        waybill.batch(batch_id).wait()


def test_a_batch_that_a_user_pauses_while_it_is_sent_is_not_called_held(
    waybill: Waybill, store: Store
) -> None:
    batch_id = _break_off(waybill, stream=True)
    waybill.batch(batch_id).pause()
    assert_fields(waybill.batch(batch_id).status(), held=False, status="ingesting")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (PROMPTS[:4], "the list of prompts ends before line 5, which"),
        ([], "the list of prompts ends before line 1, which"),
        ([PROMPTS[0], *PROMPTS[2:3], PROMPTS[1], *PROMPTS[3:]], "another line 2 than the one that"),
        ([{"prompt": "secret", "model": "small"}] * 25, "another line 1 than the one that"),
        (
            [*PROMPTS[:9], {**PROMPTS[9], "temperature": 1}, *PROMPTS[10:]],
            "another line 10 than the one that",
        ),
        ([*PROMPTS[:9], {**PROMPTS[9], "custom_id": "other"}, *PROMPTS[10:]], "another line 10"),
        ([*PROMPTS[:9], {"prompt": "say 9"}, *PROMPTS[10:]], "another line 10"),
    ],
)
def test_other_prompts_than_those_stored_are_refused_and_the_batch_stays(
    waybill: Waybill, store: Store, monkeypatch: pytest.MonkeyPatch, given: list[dict[str, str]], says: str
) -> None:
    monkeypatch.setattr(resumption, "PART_LINES", 3)
    batch_id = _break_off(waybill)
    with pytest.raises(UsageError, match=f"{says}.*{batch_id} holds: give the same prompts") as refused:
        waybill.submit(iter(given), resume=batch_id)
    assert "secret" not in str(refused.value)
    state = waybill.batch(batch_id).status()
    assert_fields(state, status="ingesting", total=10, held=True, sending=False, broken_off=True)
    assert waybill.submit(iter(PROMPTS), resume=batch_id.removeprefix("batch_")).status().total == 25


def test_a_file_that_cannot_be_read_to_where_it_goes_on_cancels_no_batch(
    waybill: Waybill, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "prompts.jsonl"
    file.touch()
    batch_id = _break_off(waybill)
    with store.write() as connection:
        connection.execute(update(batch_table).values(source=str(file)))
    with pytest.raises(UsageError, match=f"{batch_id} stays as it is"):
        waybill.submit(file, resume=batch_id)
    assert_fields(waybill.batch(batch_id).status(), status="ingesting", total=10, sending=False)
    file.write_text("".join(json.dumps(one) + "\n" for one in PROMPTS))
    assert waybill.submit(file, resume=batch_id).status().total == 25


def test_bad_and_repeated_lines_duplicates_and_deleted_texts_are_no_other_prompts(
    waybill: Waybill, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumption, "PART_LINES", 3)
    first = {"prompt": "one", "custom_id": "a", "model": "small"}
    odd: list[dict[str, Any]] = [
        first,
        {"nothing": 1},
        first,
        {**first, "custom_id": "b"},
        {"prompt": "x", "model": "none"},
    ]
    prompts = [*odd, *PROMPTS]

    def interrupted() -> Iterator[dict[str, Any]]:
        yield from prompts[:12]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        waybill.submit(interrupted(), on_error=lambda _: None)
    batch_id = caught.value.batch_id  # type: ignore[attr-defined]
    with store.write() as connection:
        texts = update(request).where(request.c.line == 7)
        connection.execute(texts.values(body="", body_hash=b""))
    batch = waybill.submit(iter(prompts), resume=batch_id, on_error=lambda _: None)
    assert_fields(batch.status(), total=27, invalid=3, duplicates=1, status="in_progress")


def test_options_of_a_new_batch_are_refused_beside_resume(waybill: Waybill) -> None:
    batch_id = _break_off(waybill)
    said = (
        "resume= goes on with the batch's own options: leave out budget=, fallback=, models=, name=, stream="
    )
    with pytest.raises(UsageError, match=said):
        waybill.submit(
            iter(PROMPTS), resume=batch_id, budget=1, name="x", models="small", fallback=False, stream=True
        )
    assert_fields(waybill.batch(batch_id).status(), status="ingesting", total=10)


def test_the_only_model_of_a_batch_is_that_of_the_rest_and_defaults_are_compared(waybill: Waybill) -> None:
    texts = [f"say {n}" for n in range(25)]

    def interrupted() -> Iterator[str]:
        yield from texts[:15]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        waybill.submit(interrupted(), models="small", endpoint="embeddings")
    batch_id = caught.value.batch_id  # type: ignore[attr-defined]
    assert waybill.submit(texts, resume=batch_id, endpoint="embeddings").status().total == 25
    with pytest.raises(KeyboardInterrupt) as caught:
        waybill.submit(interrupted(), temperature=0)
    batch_id = caught.value.batch_id  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="another line 1 "):
        waybill.submit(texts, resume=batch_id)
    assert waybill.submit(texts, resume=batch_id, temperature=0).status().total == 25


def test_a_refused_resume_does_not_end_a_sender_that_lives(waybill: Waybill, store: Store) -> None:
    batch_id = _break_off(waybill)
    with store.write() as connection:
        senders.beat(connection, batch_id)  # as another process does that sends the rest
    with pytest.raises(NotResumed):
        waybill.submit(["another"], resume=batch_id)
    assert waybill.batch(batch_id).status().sending
