"""The checks of `waybill doctor` for workers."""

from pathlib import Path

import pytest

from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.health import workers
from tasks.store.schema import ensure_schema
from workers.doctor import worker_checks
from workers.doctor.finding import Level


def test_a_worker_that_redis_refuses_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "SILENT_S", 3_600.0)
    settings = Settings(home=tmp_path)
    store = Store(settings.store_url)
    ensure_schema(store)
    with store.write() as connection:
        workers.beat(connection, "route@h-1", role="route", queues=["route"], is_refused=True)
        workers.beat(connection, "route@h-2", role="route", queues=["route"])
    store.close()
    found = list(worker_checks.workers(settings, store=True, redis=False))
    assert [one.text.partition(":")[0] for one in found if one.level is Level.FAIL] == [
        "Redis refuses route@h-1"
    ]
    assert "route: 2 alive" in [one.text for one in found]
