"""Results of fault runs: a line of JSON for each, from which the table of docs/faults.md is made.

`python -m tests.faults.results` writes the table; the newest line of each fault, variant and store counts. A
run that failed leaves a folder in `failed/` beside the lines: what was wrong, and the logs of its processes.
"""

from __future__ import annotations

import json
import os
import platform
import re
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.catalogue import ALL
from tests.faults.nemesis import Fault, FaultResult
from tests.faults.tally import Tally
from tests.support.paths import REPOSITORY

FILE = Path(os.environ.get("FAULTS_RESULTS", ".faults/results.jsonl"))
PAGE = REPOSITORY / "docs" / "faults.md"
_COLUMNS = ("lost", "doubled", "wrong", "unledgered", "underpaid", "overspent", "leaked")
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
#: how much of each process's log is kept, from its end
_MOST_CHARACTERS = 200_000


def record(fault: Fault, kind: str, result: FaultResult) -> None:
    """Append a run's result to the file of results."""
    line = {
        "number": fault.number,
        "fault": fault.name,
        "variant": fault.variant,
        "store": kind,
        "bound": fault.bound,
        "recovery_s": round(result.recovery_s, 1),
        "problems": {name: str(problem) for name, problem in result.problems.items()},
        "at": time.strftime("%Y-%m-%d %H:%M"),
        **asdict(result.tally),
    }
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with FILE.open("a") as file:
        file.write(json.dumps(line) + "\n")


def aborted(error: BaseException) -> FaultResult:
    """Return the result of a run that an error ended before anything could be counted."""
    return FaultResult(Tally(requests=0), 0.0, {"error": f"{type(error).__name__}: {error}"[:500]})


def save_failure(
    fault: Fault, kind: str, problem: BaseException | FaultResult, logs: Mapping[str, str]
) -> Path:
    """Write a failed run's result or traceback, and the ends of its logs, into a folder of their own."""
    name = re.sub(r"\W+", "-", f"{time.strftime('%Y%m%d-%H%M%S')} {fault.id} {kind}")
    folder = FILE.parent / "failed" / name
    folder.mkdir(parents=True, exist_ok=True)
    described = (
        "".join(traceback.format_exception(problem)) if isinstance(problem, BaseException) else str(problem)
    )
    for title, text in {**logs, "problem": described}.items():
        (folder / f"{title}.txt").write_text(text[-_MOST_CHARACTERS:])
    return folder


def newest(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Return the last result of each store, fault and variant that still exist."""
    known = {(fault.name, fault.variant) for fault in ALL}
    results = [json.loads(line) for line in lines]
    found = {(r["fault"], r["variant"], r["store"]): r for r in results}
    return [r for key, r in found.items() if key[:2] in known]


def table(results: Iterable[dict[str, Any]]) -> str:
    """Return a Markdown table with a row for each fault and store, over its variants."""
    rows: dict[tuple[int, str, str], list[dict[str, Any]]] = {}
    for result in results:
        rows.setdefault((result["number"], result["fault"], result["store"]), []).append(result)
    head = ["#", "fault", "store", "runs", "requests", *_COLUMNS, "paid again ≤ bound", "recovery, s"]
    lines = [head, ["---"] * len(head)]
    lines += [
        _row(*key, runs) for key, runs in sorted(rows.items(), key=lambda item: (item[0][0], item[0][1:]))
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _row(number: int, name: str, store: str, runs: list[dict[str, Any]]) -> list[str]:
    sums = [str(sum(run[column] for run in runs)) for column in _COLUMNS]
    paid, bound = (
        sum(run["paid_again"] for run in runs),
        sum(run["bound"] + run.get("timed_out", 0) for run in runs),
    )
    slowest = max(run["recovery_s"] for run in runs)
    failed = sum(bool(run["problems"]) for run in runs)
    shown = f"{len(runs)}" if not failed else f"{len(runs)} (**{failed} failed**)"
    requests = str(sum(run["requests"] for run in runs))
    return [str(number), name, _NAMES[store], shown, requests, *sums, f"{paid} ≤ {bound}", f"{slowest:.1f}"]


def main() -> None:
    """Print the table and put it into the page."""
    found = newest(FILE.read_text().splitlines())
    days = sorted(result["at"] for result in found)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    text = f"`make faults`, {days[0]} to {days[-1]}, {machine}, {len(found)} runs.\n\n{table(found)}"
    print(text)
    write_section("table", text)


def write_section(name: str, text: str) -> None:
    """Replace a marked part of the page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = PAGE.read_text().partition(begin)
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}")


if __name__ == "__main__":
    main()
