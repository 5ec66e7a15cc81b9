"""A SQLite store that version 0.1.0 wrote: the command reads it as it did, and its waiting batch goes on."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks.store.engine import Store
from tasks.store.schema import ensure_schema
from tests.support.command import assert_exit, waybill
from tests.support.comparisons import assert_batch
from tests.support.dispatch_harness import DispatchHarness
from tests.support.invariants import check_batch
from tests.support.paths import GOLDEN
from workers.simulator import SimulatorProcess

OUTPUTS = GOLDEN / "outputs"
#: the batches of the store, by the names that the recorded outputs have
BATCHES = {
    "first": "batch_2a6044606deefe7a",
    "budget": "batch_beef8947f56abff1",
    "pending": "batch_c21b463583ece164",
}
WAITING = "batch_fa51a4f083367c2b"


@pytest.fixture
def url(tmp_path: Path) -> str:
    file = tmp_path / "waybill.db"
    with gzip.open(GOLDEN / "store.db.gz") as packed, file.open("wb") as stream:
        shutil.copyfileobj(packed, stream)
    return f"sqlite:///{file}"


def printed(url: str, *arguments: str, cwd: Path) -> str:
    """Run a command on the store; returns what it printed."""
    ended = waybill(*arguments, cwd=cwd, environment={"WAYBILL_STORE__URL": url})
    assert_exit(ended, 0)
    return ended.stdout


@pytest.mark.parametrize("name", BATCHES)
def test_the_progress_of_its_batches_is_what_it_was(url: str, tmp_path: Path, name: str) -> None:
    found = json.loads(printed(url, "status", BATCHES[name], "--json", cwd=tmp_path))
    assert_holds(found, json.loads((OUTPUTS / f"{name}.status.json").read_text()))


@pytest.mark.parametrize(
    ("name", "form"), [("first", "openai"), ("first", "jsonl"), ("first", "csv"), ("pending", "csv")]
)
def test_the_results_of_its_batches_are_what_they_were(
    url: str, tmp_path: Path, name: str, form: str
) -> None:
    arguments = ("results", BATCHES[name], "-o", "out", "--format", form, "--errors", "errors")
    printed(url, *arguments, cwd=tmp_path)
    assert_rows((tmp_path / "out").read_text(), (OUTPUTS / f"{name}.{form}").read_text(), form)


@pytest.mark.parametrize("name", ["first", "budget"])
def test_the_errors_of_its_batches_are_what_they_were(url: str, tmp_path: Path, name: str) -> None:
    printed(url, "results", BATCHES[name], "-o", "out", "--errors", "errors", cwd=tmp_path)
    texts = (tmp_path / "errors").read_text(), (OUTPUTS / f"{name}.openai.errors").read_text()
    found, recorded = ([json.loads(line) for line in text.splitlines()] for text in texts)
    assert_holds(found, recorded)


def test_its_labels_judges_and_routers_are_what_they_were(url: str, tmp_path: Path) -> None:
    printed(url, "labels", "export", "-o", "labels.jsonl", cwd=tmp_path)
    assert_rows((tmp_path / "labels.jsonl").read_text(), (OUTPUTS / "labels.jsonl").read_text(), "jsonl")
    for arguments, name in ((("labels", "quality"), "quality"), (("routers",), "routers")):
        found = json.loads(printed(url, *arguments, "--json", cwd=tmp_path))
        assert_holds(found, json.loads((OUTPUTS / f"{name}.json").read_text()))


def test_the_batch_that_waits_in_it_is_answered(
    url: str, redis_url: str, simulator: SimulatorProcess
) -> None:
    simulator.client.reset()
    store = Store(url)
    ensure_schema(store)
    row = DispatchHarness(store, redis_url, simulator).run(WAITING)
    assert_batch(row, status="completed", succeeded=8, total=8)
    check_batch(store, WAITING)
    store.close()


def assert_rows(found: str, recorded: str, form: str) -> None:
    """Check that the recorded columns are the first ones still; columns may have been added at the end."""
    if form == "openai":
        assert found == recorded
    elif form == "jsonl":
        rows = [[list(json.loads(line).items()) for line in text.splitlines()] for text in (found, recorded)]
        assert_begin(*rows)
    else:
        assert_begin(*(list(csv.reader(io.StringIO(text, newline=""))) for text in (found, recorded)))


def assert_begin(found: list[list[Any]], recorded: list[list[Any]]) -> None:
    """Check that each row begins with what was recorded."""
    width = len(recorded[0])
    assert [row[:width] for row in found] == recorded


def assert_holds(found: Any, recorded: Any, at: str = "$") -> None:
    """Check that everything recorded is still there; keys may have been added since."""
    if isinstance(recorded, dict):
        assert recorded.keys() <= found.keys(), f"{at}: {recorded.keys() - found.keys()} are missing"
        for key in recorded:
            assert_holds(found[key], recorded[key], f"{at}.{key}")
    elif isinstance(recorded, list):
        assert len(found) == len(recorded), f"{at}: {len(found)} entries, not {len(recorded)}"
        for index, (one, other) in enumerate(zip(found, recorded, strict=True)):
            assert_holds(one, other, f"{at}[{index}]")
    else:
        assert found == recorded, f"{at}: {found!r}, not {recorded!r}"
