"""Archives of batches: nothing is lost on the way to Parquet and back, whatever breaks off."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import insert, select

from tasks.archiving import archive as archiving
from tasks.archiving.archive import archive_batch, restore_batch
from tasks.errors import UsageError
from tasks.formats.requests import InputError
from tasks.store import archive, batches, control, deletion, progress, results
from tasks.store.engine import Store
from tasks.store.learning.tables import sampled_prompt
from tests.support import store_builders
from tests.support.store_builders import ANSWER, REFUSED
from tests.support.stores import PostgresServer


def ended_batch(store: Store) -> tuple[str, int]:
    """Return a batch with answers, a failure, a duplicate, routing decisions and a bad line."""
    lines = [store_builders.line(n, model=None) for n in range(1, 9)]
    twin = store_builders.line(9, model=None, body=lines[0].body)
    bad = InputError(10, "invalid_parameter", "no such parameter", "bad")
    number = store_builders.submit(store, [*lines, twin, bad])
    store_builders.route_all(store, number, model="small")
    held = store_builders.held(store, number)
    store_builders.reserve(store, held)
    store_builders.settle(store, held[:-1], next=ANSWER)
    store_builders.settle(store, held[-1:], next=REFUSED)
    return str(store_builders.row(store, number)["id"]), number


def rows(store: Store, number: int) -> Mapping[str, list[tuple[Any, ...]]]:
    """Return everything that an archive is to hold."""
    found = {}
    with store.read() as connection:
        for table in archive.KEYS:
            query = select(table).where(archive._of_batch(table, number)).order_by(*table.primary_key)
            found[table.name] = [tuple(row) for row in connection.execute(query)]
    return found


def state(store: Store, batch_id: str) -> dict[str, Any]:
    with store.read() as connection:
        found = asdict(progress.snapshot(connection, batch_id))
    return {name: value for name, value in found.items() if name not in ("archived_at", "now", "models")}


def test_a_batch_comes_back_as_it_was_and_keeps_its_money_meanwhile(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_DELETED_LINES", 3)
    monkeypatch.setattr(archive, "_PAGE_ROWS", 2)
    batch_id, number = ended_batch(store)
    before, money, answers = (
        rows(store, number),
        state(store, batch_id),
        [*results.iter_results(store, batch_id)],
    )
    assert all(before.values()), before
    folder = archive_batch(store, batch_id, tmp_path)
    assert rows(store, number) == {name: [] for name in before}
    assert state(store, batch_id) == money
    assert money["spent"] > 0
    with pytest.raises(UsageError, match=r"archived on .* --restore"):
        list(results.iter_results(store, batch_id))
    with store.write() as connection, pytest.raises(UsageError, match="archived on"):
        control.retry(connection, batch_id, budget=None)
    assert restore_batch(store, folder) == batch_id
    assert rows(store, number) == before
    assert [*results.iter_results(store, batch_id)] == answers
    assert state(store, batch_id) == money
    store_builders.check_ledger(store, number)


def test_the_files_say_what_they_hold_and_are_private(store: Store, tmp_path: Path) -> None:
    batch_id, number = ended_batch(store)
    counts = {name: len(found) for name, found in rows(store, number).items()}
    folder = archive_batch(store, batch_id, tmp_path / "archive")
    for name, count in counts.items():
        file = folder / f"{name}.parquet"
        metadata = pq.read_metadata(file)
        assert metadata.num_rows == count
        said = {key.decode(): value.decode() for key, value in metadata.metadata.items()}
        assert (said["waybill.batch"], said["waybill.table"], said["waybill.rows"]) == (
            batch_id,
            name,
            str(count),
        )
        assert len(said["waybill.sha256"]) == 64
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


class BrokeOff(Exception):
    pass


def breaking(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, *, after: int) -> None:
    """Let a function raise an error instead of its call after so many."""
    real, calls = getattr(module, name), iter(range(1_000))

    def call(*args: Any, **options: Any) -> Any:
        if next(calls) >= after:
            raise BrokeOff
        return real(*args, **options)

    monkeypatch.setattr(module, name, call)


@pytest.mark.parametrize(
    ("module", "name", "after", "is_marked"),
    [
        (archiving, "write_table", 2, False),
        (archiving, "_sync_folder", 1, False),
        (archive, "mark", 0, False),
        (archive, "_check_archived", 0, True),
        (archive, "_check_archived", 2, True),
    ],
)
def test_archiving_that_broke_off_is_finished_by_a_repetition(
    store: Store, tmp_path: Path, module: Any, name: str, after: int, is_marked: bool
) -> None:
    batch_id, number = ended_batch(store)
    before = rows(store, number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "_DELETED_LINES", 3)
        breaking(patch, module, name, after=after)
        with pytest.raises(BrokeOff):
            archive_batch(store, batch_id, tmp_path)
    if is_marked:
        with pytest.raises(UsageError, match="archived on"):
            list(results.iter_results(store, batch_id))
    else:
        assert rows(store, number) == before
    folder = archive_batch(store, batch_id, tmp_path)
    assert not any(rows(store, number).values())
    restore_batch(store, folder)
    assert rows(store, number) == before


def test_a_restoration_that_broke_off_is_finished_by_a_repetition(store: Store, tmp_path: Path) -> None:
    batch_id, number = ended_batch(store)
    before = rows(store, number)
    folder = archive_batch(store, batch_id, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        breaking(patch, archive, "insert_rows", after=2)
        with pytest.raises(BrokeOff):
            restore_batch(store, folder)
    with pytest.raises(UsageError, match="archived on"):
        list(results.iter_results(store, batch_id))
    restore_batch(store, folder)
    assert rows(store, number) == before


def test_a_damaged_archive_is_refused_and_so_is_anothers(store: Store, tmp_path: Path) -> None:
    batch_id, _ = ended_batch(store)
    folder = archive_batch(store, batch_id, tmp_path)
    file = folder / "outcome.parquet"
    whole = file.read_bytes()
    table = pq.read_table(file)
    changed = table.set_column(
        table.schema.get_field_index("cost"), "cost", pa.array([0] * len(table), pa.int64())
    )
    pq.write_table(changed.replace_schema_metadata(pq.read_metadata(file).metadata), file)
    with pytest.raises(UsageError, match="not those that were written"):
        restore_batch(store, folder)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="cannot be read"):
        restore_batch(store, folder)
    file.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        restore_batch(store, folder)
    file.write_bytes(whole)
    other_id, _ = ended_batch(store)
    other = archive_batch(store, other_id, tmp_path)
    file.write_bytes((other / "outcome.parquet").read_bytes())
    with pytest.raises(UsageError, match="several batches"):
        restore_batch(store, folder)
    file.write_bytes(whole)
    restore_batch(store, folder)
    with pytest.raises(UsageError, match="is not archived"):
        restore_batch(store, folder)


def test_a_batch_that_runs_or_changes_meanwhile_is_not_archived(store: Store, tmp_path: Path) -> None:
    number = store_builders.submit(store, store_builders.lines(3))
    running = str(store_builders.row(store, number)["id"])
    with pytest.raises(UsageError, match="is in_progress"):
        archive_batch(store, running, tmp_path)
    held = store_builders.held(store, number)
    store_builders.reserve(store, held)
    store_builders.settle(store, held, next=REFUSED)
    with pytest.MonkeyPatch.context() as patch:
        real = archiving._write

        def write(*args: Any) -> str:
            written = real(*args)
            with store.write() as connection:
                control.retry(connection, running, budget=None)
            return written

        patch.setattr(archiving, "_write", write)
        with pytest.raises(UsageError, match="changed while it was archived"):
            archive_batch(store, running, tmp_path)
    assert all(rows(store, number)["request"])


def test_a_batch_that_others_need_by_the_time_of_the_mark_is_not_archived(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id, number = ended_batch(store)
    before, real = rows(store, number), archiving._write

    def write(*args: Any) -> str:
        written = real(*args)
        sample = {"batch_no": number, "custom_id": "1", "prompt_hash": "hash", "request_id": 1}
        with store.write() as connection:
            connection.execute(insert(sampled_prompt).values(**sample))
        return written

    monkeypatch.setattr(archiving, "_write", write)
    with pytest.raises(UsageError, match="train routers"):
        archive_batch(store, batch_id, tmp_path)
    assert rows(store, number) == before


@pytest.mark.postgres
def test_a_deletion_waits_for_the_rows_that_are_being_restored(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would find none of them, and their prompts would stay."""
    store, free = Store(postgres.database()), []
    batch_id, number = ended_batch(store)
    folder, real = archive_batch(store, batch_id, tmp_path), archive.insert_rows

    def insert_rows(*args: Any) -> None:
        with store.write() as other:
            free.append(batches.try_lock(other, number) is not None)
        real(*args)

    monkeypatch.setattr(archive, "insert_rows", insert_rows)
    restore_batch(store, folder)
    store.close()
    assert free == [False] * len(archive.KEYS)


def test_deleted_prompts_do_not_come_back(store: Store, tmp_path: Path) -> None:
    batch_id, _ = ended_batch(store)
    folder = archive_batch(store, batch_id, tmp_path)
    with store.write() as connection:
        deletion.mark(connection, batch_id)
    with pytest.raises(UsageError, match="were deleted: they do not come back"):
        restore_batch(store, folder)


def test_a_place_that_cannot_be_written_to_is_named_and_nothing_is_lost(store: Store, tmp_path: Path) -> None:
    batch_id, number = ended_batch(store)
    before = rows(store, number)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file/.* cannot be written"):
        archive_batch(store, batch_id, tmp_path / "file")
    assert rows(store, number) == before
