"""`waybill data delete`."""

from __future__ import annotations

import json
from pathlib import Path

from tasks.store.engine import Store
from tests.support import store_builders
from tests.support.command import waybill


def test_it_deletes_a_finished_batch_and_refuses_a_running_one(tmp_path: Path) -> None:
    environment = {"WAYBILL_STORE__URL": f"sqlite:///{tmp_path / 'waybill.db'}"}
    assert waybill("status", cwd=tmp_path, environment=environment).returncode == 0  # it makes the store
    store = Store(environment["WAYBILL_STORE__URL"])
    number = store_builders.submit(store, store_builders.lines(2))
    batch_id = store_builders.row(store, number)["id"]

    refused = waybill("data", "delete", batch_id, cwd=tmp_path, environment=environment)
    assert refused.returncode == 1
    assert f"{batch_id} is in_progress" in refused.stderr

    store_builders.settle_all(store, number, model="small")
    deleted = waybill("data", "delete", batch_id, cwd=tmp_path, environment=environment)
    assert deleted.returncode == 0, deleted.stderr
    exported = waybill("results", batch_id, cwd=tmp_path, environment=environment)
    assert exported.returncode == 1
    assert f"the prompts and answers of {batch_id} were deleted on 20" in exported.stderr
    state = json.loads(waybill("status", batch_id, "--json", cwd=tmp_path, environment=environment).stdout)
    assert (state["succeeded"], state["cost_usd"]) == (2, 0.00006)
    assert "deleted on" in waybill("status", batch_id, cwd=tmp_path, environment=environment).stdout
    store.close()
