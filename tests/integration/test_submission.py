"""Submitting lines, whole files and broken ones."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tasks.errors import UnknownBatch, UsageError
from tasks.formats.errors import FormatError
from tasks.formats.inputs import file
from tasks.formats.requests import InputError
from tasks.settings import Settings
from tasks.settings.capabilities import CapabilitySettings
from tasks.store import batch_rows
from tasks.store.batch_progress import Progress
from tasks.store.engine import Store
from tasks.store.progress import list_batches, snapshot
from tasks.submission import submit
from tasks.submission.batch_writer import SubmissionProgress
from tasks.submission.options import options_for
from tasks.submission.source import from_file, from_files, from_items, with_bad_at_most
from tests.support.comparisons import assert_fields
from tests.support.two_models import MODELS, SETTINGS


def _submit(store: Store, prompts: object, **options: object) -> str:
    items = from_file(prompts, SETTINGS) if isinstance(prompts, Path) else from_items(prompts, SETTINGS)  # type: ignore[arg-type]
    chosen = options_for(SETTINGS)
    return submit.submit(store, items, source="test", options=chosen, **options)  # type: ignore[arg-type]


def _batches(store: Store) -> list[Progress]:
    with store.read() as connection:
        return list_batches(connection)


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "SLICE_LINES", 10)


@pytest.mark.usefixtures("small_slices")
def test_lines_are_stored_in_slices_and_bad_ones_are_told(store: Store) -> None:
    errors: list[InputError] = []
    steps: list[SubmissionProgress] = []
    items = [{"prompt": f"prompt {n % 15}"} for n in range(24)] + [{"nothing": 1}]
    batch_id = _submit(store, items, on_error=errors.append, on_progress=steps.append)
    assert [(e.line, e.code) for e in errors] == [(25, "missing_messages")]
    assert [s.lines for s in steps] == [10, 20, 25]
    assert steps[-1] == SubmissionProgress(
        batch_id, 25, requests=24, invalid=1, duplicates=9, random_duplicates=9
    )
    with store.read() as connection:
        state = snapshot(connection, batch_id)
    assert_fields(state, status="in_progress", total=24, invalid=1, duplicates=9)


def test_the_first_slices_are_small_so_that_workers_begin_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "FIRST_LINES", 3)
    monkeypatch.setattr(submit, "SLICE_LINES", 10)
    steps: list[SubmissionProgress] = []
    _submit(store, [f"prompt {n}" for n in range(30)], on_progress=steps.append)
    assert [s.lines for s in steps] == [3, 9, 19, 29, 30]


def test_a_slice_holds_no_more_text_than_its_limit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "SLICE_CHARACTERS", 1_000)
    steps: list[SubmissionProgress] = []
    _submit(store, ["x" * 600 + str(n) for n in range(6)], on_progress=steps.append)
    assert [s.lines for s in steps] == [2, 4, 6]


@pytest.mark.parametrize("prompts", [[], [{"nothing": 1}, {"nothing": 2}]])
def test_input_without_a_valid_request_leaves_no_batch(store: Store, prompts: list[object]) -> None:
    with pytest.raises(UsageError, match="holds no request"):
        _submit(store, prompts)
    assert _batches(store) == []


def test_a_refused_batch_leaves_nothing_to_the_next_one_which_may_have_its_number(store: Store) -> None:
    with pytest.raises(UsageError, match="holds no request"):
        _submit(store, [{"nothing": 1}, {"nothing": 2}], owner="somebody")
    with store.read() as connection:
        left = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in batch_rows.NAMING
        }
    assert {name for name, rows in left.items() if rows} == set()
    assert {"request", "outcome", "ended_request", "input_error", "batch_figures"} <= left.keys()


def test_a_missing_file_leaves_no_batch(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"gone\.jsonl"):
        _submit(store, tmp_path / "gone.jsonl")
    assert _batches(store) == []


@pytest.mark.usefixtures("small_slices")
def test_a_file_that_breaks_off_leaves_no_batch_that_goes_on(store: Store, tmp_path: Path) -> None:
    # Random text keeps gzip from hiding the whole file in its first block.
    data = gzip.compress(
        "".join(json.dumps({"prompt": str(hash((n, "x")))}) + "\n" for n in range(2_000)).encode()
    )
    file = tmp_path / "broken.jsonl.gz"
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(UsageError, match=r"broken\.jsonl\.gz.*was cancelled"):
        _submit(store, file)
    assert [b.status for b in _batches(store)] == ["cancelled"]


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"nothing": 1}, "line 31: holds neither"),
        ({"prompt": "x", "id": "line-1"}, "line 31: custom_id was used"),
    ],
)
def test_strict_refuses_everything_for_one_bad_line(store: Store, bad: object, reason: str) -> None:
    errors: list[InputError] = []
    with pytest.raises(UsageError, match=f"test was not submitted: 1 bad line, the first at {reason}"):
        _submit(store, [*(f"prompt {n}" for n in range(30)), bad], strict=True, on_error=errors.append)
    assert [e.line for e in errors] == [31]
    assert _batches(store) == []


def test_strict_takes_good_input_and_refuses_what_it_cannot_read_twice(store: Store) -> None:
    _submit(store, ["one", "two"], strict=True)
    with pytest.raises(UsageError, match="not an iterator"):
        _submit(store, iter(["one"]), strict=True)
    assert len(_batches(store)) == 1


class _KilledError(Exception):
    pass


def _dying(after: int) -> Callable[[SubmissionProgress], None]:
    def die(taken: SubmissionProgress) -> None:
        if taken.lines >= after:
            raise _KilledError

    return die


@pytest.mark.usefixtures("small_slices")
def test_a_submission_that_died_goes_on_where_it_stopped(store: Store) -> None:
    prompts = [{"prompt": f"p{n}"} for n in range(35)]
    with pytest.raises(_KilledError):
        _submit(store, prompts, on_progress=_dying(after=20))
    [half] = _batches(store)
    assert_fields(half, status="ingesting", total=20)
    assert _submit(store, prompts, resume=half.batch_id) == half.batch_id
    [whole] = _batches(store)
    assert_fields(whole, status="in_progress", total=35, invalid=0)


@pytest.mark.usefixtures("small_slices")
def test_the_options_of_the_batch_hold_for_the_rest_of_its_lines(store: Store) -> None:
    small, large = MODELS
    settings = Settings(
        models=(small.model_copy(update={"capabilities": CapabilitySettings(max_output=10)}), large)
    )
    lines = [{"prompt": f"p{n}", **({"max_tokens": 20} if n >= 30 else {})} for n in range(35)]

    def go(*models: str, **options: Any) -> str:
        chosen = options_for(settings, models=models)
        return submit.submit(store, from_items(lines, settings), source="test", options=chosen, **options)

    with pytest.raises(_KilledError):
        go("small", on_progress=_dying(after=20))
    [half] = _batches(store)
    go(resume=half.batch_id)
    [whole] = _batches(store)
    assert_fields(whole, total=30, invalid=5)


def test_only_a_submission_that_died_can_be_resumed(store: Store) -> None:
    batch_id = _submit(store, ["one"])
    with pytest.raises(UsageError, match="is in_progress"):
        _submit(store, ["one"], resume=batch_id)
    with pytest.raises(UnknownBatch):
        _submit(store, ["one"], resume="batch_nope")


def test_lines_are_read_as_a_stream(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "SLICE_LINES", 5)
    stored = 0

    def prompts() -> Iterator[str]:
        for n in range(40):
            assert n <= stored + 5, "read ahead of what is stored"
            yield f"prompt {n}"

    def note(taken: SubmissionProgress) -> None:
        nonlocal stored
        stored = taken.lines

    _submit(store, prompts(), on_progress=note)
    assert stored == 40


@pytest.mark.usefixtures("small_slices")
def test_an_input_with_too_many_bad_lines_ends_its_batch(store: Store) -> None:
    items: list[object] = [{"prompt": f"prompt {n}"} for n in range(30)] + [{"nothing": 1}] * 3
    bounded = with_bad_at_most(from_items(items, SETTINGS), "file", 2)
    with pytest.raises(UsageError, match=r"more than 2 lines are bad, up to line 33.* was cancelled"):
        submit.submit(store, bounded, source="file", options=options_for(SETTINGS))
    assert [one.status for one in _batches(store)] == ["cancelled"]
    enough = with_bad_at_most(from_items(items, SETTINGS), "file", 3)
    assert submit.submit(store, enough, source="file", options=options_for(SETTINGS))


def test_people_are_told_how_far_a_long_file_of_blank_lines_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "TOLD_S", 0.0)
    (tmp_path / "blank.jsonl").write_text("\n" * 25_000 + '{"prompt": "p"}\n')
    told: list[int] = []
    items = list(from_files([tmp_path / "blank.jsonl"], SETTINGS, on_lines=told.append))
    assert (len(items), told) == (1, [10_000, 20_000])
