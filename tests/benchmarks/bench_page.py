"""The live page of a large batch: the time and the size of a refresh, and its share of the store's time.

    python tests/benchmarks/bench_page.py --rows 1000000

The batch is written by SQL, as it is when 60 % of it have ended. `refresh` is what the server does each
second for each browser that looks on: read the batch, and make the parts of its page. `look` is what the
intake does each two seconds for all batches; `count` reads the whole batch, and is repeated after two hundred
times as long.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402
from sqlalchemy import text, update
from starlette.requests import Request

from tasks.api_keys import keys
from tasks.api_keys.sessions import log_in
from tasks.files.opening import open_storage
from tasks.processes import freeze_loaded_objects
from tasks.store import batches
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.page import figures
from tasks.store.schema import ensure_schema
from tasks.store.tables import batch
from tests.support.tenants import settings_of
from workers.api.context import Context
from workers.api.keys.concurrency import KeyRequests
from workers.page.batches import live
from workers.page.visit import Visit

#: of the rows, so many of a hundred have ended, and so many of these have failed
_ENDED, _FAILED = 60, 1
_FILL = (
    "WITH RECURSIVE line(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM line WHERE n < {rows}) ",
    "INSERT INTO request (id, batch_no, line, custom_id, body, body_hash, state, stage, messages, attempts, "
    "model_attempts, attempts_before, losses) SELECT {first} + n, {no}, n, 'id-' || n, '{{}}', x'00', "
    "CASE WHEN n <= {ended} THEN 'succeeded' ELSE 'ready' END, 'dispatch', 1, 1, 1, 0, 0 FROM line",
    "INSERT INTO decision (request_id, batch_no, model, category, predicted, ranking, used_fallback, reason) "
    "SELECT {first} + n, {no}, 'small', 'kind-' || (n % 8), '{{}}', '[]', 0, 'predicted_best' FROM line",
    "INSERT INTO attempt (request_id, number, batch_no, model, state, cost, latency_ms, prompt_tokens, "
    "completion_tokens) SELECT {first} + n, 1, {no}, 'small', 'succeeded', 30, 500, 50, 20 FROM line "
    "WHERE n <= {ended}",
    "INSERT INTO outcome (request_id, batch_no, status, model, error_code, cost, attempts) "
    "SELECT {first} + n, {no}, CASE WHEN n % 100 < {failed} THEN 'failed' ELSE 'succeeded' END, 'small', "
    "'timeout', 30, 1 FROM line WHERE n <= {ended}",
)


def main() -> None:
    """Print the times and sizes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--refreshes", type=int, default=500)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        _measure(Path(folder), asked.rows, asked.refreshes)


def _measure(home: Path, rows: int, refreshes: int) -> None:
    url = f"sqlite:///{home / 'waybill.db'}"
    store = Store(url)
    ensure_schema(store)
    visit = _visit(store, home, url)
    number, batch_id = _fill(store, rows)
    visit.request.scope["path_params"] = {"batch_id": batch_id}
    figures.look(store)
    count_s = _timed(lambda: figures.count(store, number))
    look_s = min(_timed(lambda: _look_again(store)) for _ in range(5))
    first_s = _timed(lambda: live._now(visit))  # it compiles the templates
    freeze_loaded_objects()  # as the server does
    times, sizes = [], []
    for _ in range(refreshes):
        began = time.perf_counter()
        _, parts = live._now(visit)
        times.append(time.perf_counter() - began)
        sizes.append(sum(map(len, parts.values())))
    pause_s = max(200 * count_s, 5.0)
    print(f"rows {rows:,}, first refresh {1e3 * first_s:.1f} ms")
    print(
        f"refresh p50 {1e3 * statistics.median(times):.1f} ms, most {1e3 * max(times):.1f} ms (limit 100 ms)"
    )
    print(f"refresh {max(sizes) / 1e3:.1f} kB (limit 50 kB)")
    print(f"look {1e3 * look_s:.1f} ms each {figures.LOOK_S:g} s: {look_s / figures.LOOK_S:.2%} of the time")
    print(f"count {count_s:.2f} s each {pause_s:.0f} s: {count_s / pause_s:.2%} of the time (limit 1 %)")
    store.close()


def _visit(store: Store, home: Path, url: str) -> Visit:
    settings = settings_of(home, url)
    _, key = keys.create(store, "bench", is_operator=True)
    session = log_in(store, key)
    assert session is not None
    context = Context(settings, store, open_storage(settings), KeyRequests(10))
    return Visit(Request({"type": "http", "method": "GET", "headers": [], "path": "/"}), context, session)


def _fill(store: Store, rows: int) -> tuple[int, str]:
    with store.write() as connection:
        options = BatchOptions(prices={"small": (1.0, 2.0)})
        row = batches.create(connection, source="bench", options=options, budget=100_000_000)
        ended = rows * _ENDED // 100
        failed = ended * _FAILED // 100
        values = {"rows": rows, "no": row["no"], "first": row["no"] << 32, "ended": ended, "failed": _FAILED}
        for statement in _FILL[1:]:
            insert, _, select = statement.partition(" SELECT ")
            connection.execute(text(f"{insert} {_FILL[0]} SELECT {select}".format(**values)))
        counters = {
            "total": rows,
            "routed": rows,
            "succeeded": ended - failed,
            "failed": failed,
            "calls": ended,
        }
        changed = update(batch).where(batch.c.no == row["no"])
        connection.execute(changed.values(status="in_progress", spent=30 * ended, **counters))
    return row["no"], row["id"]


def _look_again(store: Store) -> None:
    """Look at the batches as if the last look were long ago."""
    with store.write() as connection:
        connection.execute(text("UPDATE batch_figures SET sampled_at = 1"))
        connection.execute(update(batch).values(spent=batch.c.spent + 1))
    figures.look(store)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
