"""A request whose call cannot be prepared ends by itself: its dispatch process goes on with all others."""

from __future__ import annotations

import os
from typing import Any

import pytest
from sqlalchemy import select, update

from tasks.limits import Limits
from tasks.settings import ModelSettings
from tasks.stages.dispatch import model_health
from tasks.store.tables import attempt, outcome, request
from tests.support.comparisons import assert_batch
from tests.support.scripted_server import MakeScripted

#: an image without its URL, which no reader of input lets through
WITHOUT_URL = '{"messages":[{"content":[{"type":"image_url"}],"role":"user"}]}'
DAMAGES: dict[str, dict[str, Any]] = {
    "of an endpoint that a newer Waybill knows": {"endpoint": "/v1/images/generations"},
    "a body that ends early": {"body": WITHOUT_URL[:-3]},
    "a part without its value": {"body": WITHOUT_URL},
    "a body that is no object": {"body": '[{"type":"image_url"}]'},
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_request_that_cannot_be_prepared_ends_alone(
    make_scripted: MakeScripted, monkeypatch: pytest.MonkeyPatch, damage: dict[str, Any]
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    harness, server = make_scripted("yes")
    line = {"prompt": "p", "model": harness.named("sim-nano")}
    healthy = harness.submit([line])
    damaged = harness.submit([line, {**line, "temperature": 0.5}])
    is_first = (request.c.batch_no == harness.row(damaged)["no"]) & (request.c.line == 1)
    with harness.store.write() as connection:
        connection.execute(update(request).where(is_first).values(**damage))
    assert_batch(harness.run_together(damaged, healthy, timeout_s=60), succeeded=1, failed=1)
    assert_batch(harness.run(healthy, timeout_s=60), succeeded=1, failed=0)
    with harness.store.read() as connection:
        code = select(outcome.c.error_code).where(outcome.c.status == "failed")
        assert connection.execute(code).scalar_one() == "internal_error"
        assert len(connection.execute(select(attempt)).all()) == 2, "it was not called, nor paid for"
    assert not ended
    assert len(server.calls) == 2


def test_a_defect_at_one_model_holds_up_no_other(
    make_scripted: MakeScripted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    harness, _ = make_scripted("yes")
    broken, other = harness.named("sim-nano"), harness.named("sim-large")

    def limits_of(model: ModelSettings) -> Limits:
        if model.name == broken:
            raise OverflowError("a defect")
        return Limits()

    waiting = harness.submit([{"prompt": "p", "model": broken}])
    healthy = harness.submit([{"prompt": "p", "model": other}])
    with monkeypatch.context() as patch:
        patch.setattr(model_health, "limits_of", limits_of)
        assert_batch(harness.run_together(healthy, waiting, timeout_s=60), succeeded=1)
        told = f"{broken} waits for Waybill: OverflowError"
        harness.run(waiting, until=lambda _: told in caplog.messages, timeout_s=60)
    assert not ended
    assert_batch(harness.run(waiting, timeout_s=60), succeeded=1)
