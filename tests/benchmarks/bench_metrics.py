"""The cost of a scrape of a large SQLite store: python tests/benchmarks/bench_metrics.py 1000000."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import text

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tasks.settings import Settings  # noqa: E402
from tasks.store.engine import Store  # noqa: E402
from tasks.store.schema import ensure_schema  # noqa: E402
from tests.support import store_builders as builders  # noqa: E402
from workers.metrics.collector import Exposition  # noqa: E402

#: requests of a dispatch chunk
GROUP = 32
BATCHES = 1000


def main(requests: int) -> None:
    """Fill a store in bulk with a running batch of so many requests and 1,000 ended ones; scrape it."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{Path(folder) / 'waybill.db'}")
        ensure_schema(store)
        batch_no = builders.submit(store, builders.lines(1))
        _fill(store, batch_no, requests)
        exposition = Exposition(Settings(), store, min_age_s=0)
        times = []
        for _ in range(5):
            started = time.perf_counter()
            size = len(exposition.text())
            times.append(time.perf_counter() - started)
        print(f"{requests:,} requests: {min(times) * 1000:.1f} to {max(times) * 1000:.1f} ms, {size:,} bytes")
        store.close()


_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) "
_CHUNKS = """
INSERT INTO chunk (batch_no, stage, queue, state, size, epoch, vector_epoch, opened_at)
SELECT :batch_no, 'dispatch', 'dispatch.small', 'queued', :group, 0, 0, 1 FROM n
"""
_REQUESTS = """
INSERT INTO request (id, batch_no, line, custom_id, body, body_hash, messages, state, stage, model, attempts,
                     model_attempts, attempts_before, losses)
SELECT (:batch_no << 32) + i + 10, :batch_no, i + 10, 'c' || i, '{}', randomblob(16), 1, 'held', 'dispatch',
       'small', 0, 0, 0, 0 FROM n
"""
_OTHERS = "INSERT INTO batch ({columns}) SELECT {values} FROM n, batch WHERE no = :batch_no"


def _fill(store: Store, batch_no: int, requests: int) -> None:
    with store.write() as connection:

        def run(statement: str, count: int) -> None:
            values = {"count": count, "batch_no": batch_no, "group": GROUP}
            bound = text(_NUMBERS + statement)
            connection.execute(bound, {name: values[name] for name in bound.compile().params})

        run(_CHUNKS, requests // GROUP)
        run(_REQUESTS, requests)
        connection.execute(text("UPDATE batch SET total = :total"), {"total": requests})
        row = connection.execute(text("SELECT * FROM batch")).mappings().one()
        changed = {"no": "1000 + i", "id": "'b' || i", "status": "'completed'"}
        values = ", ".join(changed.get(name, name) for name in row)
        run(_OTHERS.format(columns=", ".join(row), values=values), BATCHES)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
