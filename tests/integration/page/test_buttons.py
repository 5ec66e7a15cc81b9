"""What the buttons of a batch do, and which budgets they refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import update

from tasks.store import batches
from tasks.store.api import audit
from tasks.store.api.tables import api_batch
from tasks.store.engine import Store
from tests.support.page import Browser
from tests.support.page_batches import status_of, submitted


def test_buttons_pause_resume_cancel_and_retry(browser: Browser, store: Store) -> None:
    batch = submitted(browser)

    def press(action: str, **fields: str) -> str:
        response = browser.send(f"/batches/{batch}/{action}", **fields)
        assert response.status_code == 303, response.text
        return browser.shown(response.headers["location"])

    assert "Paused: calls in flight still end." in press("pause")
    assert 'status paused">paused' in browser.shown("/")
    assert "<button>Pause" in press("resume")
    assert "of $2.50" in press("budget", budget_usd="2.5").replace("2.5000", "2.50")
    page = press("cancel")
    assert "Retry 3 failed" in page
    assert status_of(store, batch) == "cancelled"
    assert "<button>Pause" in press("retry")
    assert status_of(store, batch) == "in_progress"
    with store.read() as connection:
        noted = [one["action"] for one in audit.latest(connection, owner=browser.tenant.key.id, limit=5)]
    assert noted == ["batch.retry", "batch.cancel", "batch.budget", "batch.resume", "batch.pause"]


@pytest.mark.parametrize("budget", ["", "x", "nan", "-1", "0", "1e-9", "1e99"])
def test_a_budget_that_is_none_is_refused(browser: Browser, budget: str) -> None:
    batch = submitted(browser)
    assert browser.send(f"/batches/{batch}/budget", budget_usd=budget).status_code == 400


def test_a_budget_is_never_raised_beyond_that_of_the_key(
    new_browser: Callable[..., Browser], store: Store
) -> None:
    browser = new_browser("poor", budget_day=2_000_000, concurrent_batches=2)
    one = submitted(browser, waybill_budget_usd="0.5")
    other = submitted(browser, waybill_budget_usd="0.5", n="2")
    assert browser.send(f"/batches/{one}/budget", budget_usd="1.5").status_code == 303
    refused = browser.send(f"/batches/{other}/budget", budget_usd="0.6")
    assert refused.status_code == 429
    assert "left of its budget of this day" in refused.text
    browser.send(f"/batches/{other}/cancel")  # what it does not cost, another may
    assert browser.send(f"/batches/{one}/budget", budget_usd="2").status_code == 303
    assert browser.send(f"/batches/{other}/retry").status_code == 429
    with store.read() as connection:
        assert batches.find(connection, one)["budget"] == 2_000_000
    assert status_of(store, other) == "cancelled"


@pytest.mark.parametrize("limits", [{"budget_day": 2_000_000}, {"budget_month": 2_000_000}])
def test_a_batch_of_an_earlier_day_or_month_stays_within_what_the_key_had_then(
    new_browser: Callable[..., Browser], store: Store, limits: dict[str, int]
) -> None:
    browser = new_browser("poor", **limits)
    one = submitted(browser, waybill_budget_usd="0.5")
    other = submitted(browser, waybill_budget_usd="0.5", n="2")
    earlier = 40 * 86_400_000
    with store.write() as connection:
        connection.execute(update(api_batch).values(created_at=api_batch.c.created_at - earlier))
    assert browser.send(f"/batches/{one}/budget", budget_usd="1.5").status_code == 303
    assert browser.send(f"/batches/{other}/budget", budget_usd="0.6").status_code == 429
    browser.send(f"/batches/{other}/cancel")
    refused = browser.send(f"/batches/{other}/retry", budget_usd="0.6")
    assert refused.status_code == 429
    assert "left of its budget of the batch" in refused.text
    assert browser.send(f"/batches/{other}/retry").status_code == 303
    submitted(browser, waybill_budget_usd="2", n="3")  # all of it is left of the day and the month of now
