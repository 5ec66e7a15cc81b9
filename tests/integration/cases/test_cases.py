"""Every case of tests/data/cases: over both transports, through the store, in every export."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, get_args

import pytest

from tasks.formats.outputs.csv_table import safe_text
from tasks.formats.writing import ResultFormat
from tasks.providers.interface import Transport
from tasks.store.engine import Store
from tests.support.cases.run import CaseRun, run_cases
from tests.support.cases.table import Case, load_cases
from tests.support.stores import PostgresServer, new_sqlite

CASES = load_cases()
TRANSPORTS = get_args(Transport)
#: each so many-th case also runs on PostgreSQL
SAMPLE = 4


@pytest.fixture(scope="module", params=TRANSPORTS)
def run(request: pytest.FixtureRequest, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> CaseRun:
    folder = tmp_path_factory.mktemp(request.param)
    store = Store(new_sqlite(folder / "waybill.db"))
    try:
        return run_cases(CASES, store, redis_url, folder, transport=request.param)
    finally:
        store.close()


@pytest.fixture(scope="module")
def postgres_run(
    postgres: PostgresServer, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> CaseRun:
    store = Store(postgres.database())
    try:
        folder = tmp_path_factory.mktemp("postgres")
        return run_cases(CASES[::SAMPLE], store, redis_url, folder, transport="direct")
    finally:
        store.close()


def test_there_are_enough_cases_and_each_stands_for_itself() -> None:
    assert len(CASES) >= 150
    contents = [repr((case.line.replace(case.name, ""), case.model, case.answers)) for case in CASES]
    assert [case.name for case in CASES if contents.count(contents[CASES.index(case)]) > 1] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_comes_out_as_it_must(run: CaseRun, case: Case) -> None:
    check(case, run)


@pytest.mark.postgres
@pytest.mark.parametrize("case", CASES[::SAMPLE], ids=lambda case: case.name)
def test_a_case_comes_out_the_same_on_postgresql(postgres_run: CaseRun, case: Case) -> None:
    check(case, postgres_run)


def test_the_lines_add_up_to_what_the_batch_spent(run: CaseRun) -> None:
    costs = [row["cost_usd"] for row in run.flat[ResultFormat.JSONL].values() if row["cost_usd"] is not None]
    assert round(sum(costs) * 1e6) == run.spent


def check(case: Case, run: CaseRun) -> None:
    """Check all that a case expects."""
    row, expected = run.flat[ResultFormat.JSONL][case.name], case.expected
    calls = run.received.get(case.name, [])
    assert shown(case, row) == {name: expected.get(name) for name in ("outcome", "code", "status")}, row
    assert len(calls) == (0 if expected["outcome"] == "rejected" else expected["calls"])
    check_cost(case, row)
    check_sent(case, calls)
    check_columns(case, run)
    check_openai(case, run)


def shown(case: Case, row: Mapping[str, Any]) -> dict[str, Any]:
    failed = row["error_code"] is not None
    rejected = failed and row["cost_usd"] is None
    outcome = "rejected" if rejected else "failed" if failed else "succeeded"
    status = row["status_code"] if "status" in case.expected else None
    return {"outcome": outcome, "code": row["error_code"], "status": status}


def check_cost(case: Case, row: Mapping[str, Any]) -> None:
    expected = case.expected["cost"]
    if case.expected["outcome"] == "rejected" or expected == "any":
        return
    exact = expected if isinstance(expected, int) else _WITH_WORST[expected](worst_case(case))
    assert round(row["cost_usd"] * 1e6) == exact


_WITH_WORST: dict[str, Callable[[int], int]] = {
    "worst": lambda worst: worst,
    "worst+120": lambda worst: worst + 120,
    "2*worst": lambda worst: 2 * worst,
}


def worst_case(case: Case) -> int:
    """Return the worst case of a plain request: every byte a token, and the longest answer."""
    body = json.loads(case.line.replace("$model", case.name))["body"]
    del body["model"]
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return len(text.encode()) + 16 * len(body["messages"]) + 64 + 10 * int(body["max_tokens"])


def check_sent(case: Case, calls: Any) -> None:
    for sent in calls:
        for name, value in case.expected.get("sent", {}).items():
            assert sent.get(name, "absent") == nulls(value), (name, sent)
        assert [name for name in case.expected.get("not_sent", ()) if name in sent] == []


def check_columns(case: Case, run: CaseRun) -> None:
    for name, value in case.expected.get("columns", {}).items():
        expected = nulls(value)
        found = {form: rows[case.name][name] for form, rows in run.flat.items()}
        assert found[ResultFormat.JSONL] == expected, name
        assert found[ResultFormat.PARQUET] == expected, name
        assert in_csv(found[ResultFormat.CSV], expected), (name, found[ResultFormat.CSV])


def in_csv(cell: str, expected: Any) -> bool:
    if expected is None:
        return cell == ""
    if isinstance(expected, str):
        return cell == safe_text(expected)
    return bool(json.loads(cell) == expected)


def check_openai(case: Case, run: CaseRun) -> None:
    """Check that the line of the Batch output says the same, and holds the notes."""
    line = run.openai[case.name]
    if case.expected["outcome"] == "rejected":
        assert line["error"]["code"] == case.expected["code"]
        return
    body = line["response"]["body"] if line["response"] else {}
    if case.expected["outcome"] == "succeeded":
        assert {"choices", "output", "data", "results"} & body.keys()
        assert body["model"] == case.name
    notes = body.get("waybill", {})
    assert {name: notes.get(name) for name in case.expected.get("notes", {})} == case.expected.get(
        "notes", {}
    )
    assert [name for name in case.expected.get("notes_hold", ()) if not notes.get(name)] == []


def nulls(value: Any) -> Any:
    """Return the value with null for each text `null`: TOML has no null."""
    if value == "null":
        return None
    if isinstance(value, list):
        return [nulls(item) for item in value]
    return {name: nulls(item) for name, item in value.items()} if isinstance(value, dict) else value
