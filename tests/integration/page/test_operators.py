"""The pages of operators: routers and their roles, operations, what each key spends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis
from sqlalchemy import insert

from router_core.monitoring.canary import SampleStats
from tasks.api_keys import keys
from tasks.limits.interface import Circuit
from tasks.limits.overview import model_loads
from tasks.limits.rates import Limits
from tasks.limits.redis import RedisLimiter
from tasks.settings import load_settings
from tasks.store.api import audit
from tasks.store.engine import Store
from tasks.store.health import workers
from tasks.store.routers import canary_stats, roles
from tasks.store.routers.tables import router_version
from tests.support import store_builders
from tests.support.page import Browser
from workers.api.application import application
from workers.api.context import Context

FIGURES = {
    "models": ["small", "large"],
    "best_single": "large",
    "prompts": 200,
    "embedder": {"fingerprint": "x"},
    "settings": {},
    "shift": None,
    "comparison": {"gain": 0.02, "standard_error": 0.01, "challenger_score": 0.81, "challenger_cost": 0.002},
}


@pytest.fixture
def operator(new_browser: Callable[..., Browser], store: Store) -> Browser:
    """An operator, and two routers: `aaaa` is the champion."""
    with store.write() as connection:
        for version in ("aaaa", "bbbb"):
            row = {"version": version, "source": "a test", "figures": FIGURES, "created_at": 1}
            connection.execute(insert(router_version).values(**row))
        roles.promote(connection, "aaaa", reason="asked")
    return new_browser("operator", is_operator=True)


def _roles(store: Store) -> roles.Roles:
    with store.read() as connection:
        return replace(roles.read(connection), since=0)


def test_tenants_see_no_page_of_operators(browser: Browser) -> None:
    for path in ("/routers", "/operations"):
        assert browser.get(path).status_code == 403
        assert f'href="{path}"' not in browser.shown("/")
    for action in ("promote", "canary", "rollback"):
        assert browser.send(f"/routers/{action}", version="aaaa").status_code == 403


def test_a_key_that_is_made_an_operator_is_one_at_once(browser: Browser, store: Store) -> None:
    keys.set_operator(store, "team", is_operator=True)
    assert browser.get("/operations").status_code == 200
    keys.set_operator(store, "team", is_operator=False)
    assert browser.get("/operations").status_code == 403


def test_an_operator_promotes_tries_and_rolls_back(operator: Browser, store: Store) -> None:
    shown = operator.shown("/routers")
    assert "0.0200" in shown
    assert operator.send("/routers/canary", version="bbbb", share="10").status_code == 303
    assert _roles(store) == roles.Roles("aaaa", "bbbb", 0.1)
    shown = operator.shown("/routers")
    assert "Too few requests to say" in shown
    assert "upkeep has not yet measured the judged scores" in shown
    with store.write() as connection:
        samples = {roles.CANARY: SampleStats(40, 0.56, 0.1), roles.CHAMPION: SampleStats(90, 0.5, 0.1)}
        canary_stats.record_judged(connection, roles.read(connection), samples)
    shown = operator.shown("/routers")
    row = r'<th scope="row">{}</th><td class="number">([^<]*)</td><td class="number">([^<]*)</td>'
    assert re.findall(row.format("Judged"), shown) == [("40", "90")]
    assert re.findall(row.format("Judged score"), shown) == [("0.560 ± 0.050", "0.500 ± 0.033")]
    assert "no worse: 0.00 of 100" in shown
    assert "No worse so far in quality; the test begins for failures and cost at 50" in shown
    assert operator.send("/routers/rollback").status_code == 303
    assert _roles(store) == roles.Roles("aaaa")
    assert operator.send("/routers/promote", version="bbbb").status_code == 303
    assert _roles(store) == roles.Roles("bbbb")
    assert operator.send("/routers/rollback").status_code == 303
    assert _roles(store) == roles.Roles("aaaa")
    with store.read() as connection:
        entries = audit.latest(connection, owner=audit.OPERATOR, limit=9)
    assert [one["action"] for one in entries if one["action"].startswith("router.")] == [
        "router.roll_back", "router.promote", "router.roll_back", "router.promote",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("promote", {"version": "cccc"}),
        ("promote", {"version": "\0"}),
        ("canary", {"version": "bbbb", "share": "0"}),
        ("canary", {"version": "bbbb", "share": "nan"}),
        ("canary", {"version": "aaaa", "share": "5"}),
        ("rollback", {}),
        ("other", {}),
    ],
)
def test_what_cannot_be_done_changes_no_role(
    operator: Browser, store: Store, action: str, fields: dict[str, str]
) -> None:
    refused = operator.send(f"/routers/{action}", **fields)
    assert refused.status_code in (400, 404)
    assert "directory" not in refused.text
    assert _roles(store) == roles.Roles("aaaa")


def test_the_old_address_of_operations_leads_to_the_new_one(operator: Browser) -> None:
    moved = operator.get("/house")
    assert (moved.status_code, moved.headers["location"]) == (308, "/operations")


def test_operations_mark_the_worker_that_redis_refuses(operator: Browser, store: Store) -> None:
    with store.write() as connection:
        workers.beat(connection, "route@h-1", role="route", queues=["route"], is_refused=True)
        workers.beat(connection, "route@h-2", role="route", queues=["route"])
    rows = re.findall(r'<th scope="row">(route@.*?)</th>', operator.shown("/operations"))
    assert ["Redis refuses it" in row for row in rows] == [True, False]


def test_operations_show_workers_queues_and_what_keys_spend(operator: Browser, store: Store) -> None:
    assert "No worker was heard of" in operator.shown("/operations")
    with store.write() as connection:
        for name, load in (
            ("1", workers.Load(300_000_000, 0.5)),
            ("2", workers.Load(200_000_000, None)),
            ("3", None),
        ):
            workers.beat(
                connection, f"dispatch@host-{name}", role="dispatch", queues=["dispatch.small"], load=load
            )
    number = store_builders.submit(store, store_builders.lines(9))
    held = store_builders.held(store, number)[:4]
    store_builders.reserve(store, held)
    store_builders.settle(store, held)
    shown = operator.shown("/operations")
    assert "dispatch@host-1" in shown
    by_role = re.findall(r'<th scope="row">dispatch</th>' + 4 * r'<td class="number">([^<]*)</td>', shown)
    assert by_role == [("3", "2", "0.50", "500.0 MB")]
    assert '<th scope="row">dispatch.small</th>' in shown
    assert '<th scope="row">command</th><td class="number">$0.0001</td>' in shown
    assert "This server knows no Redis" in shown


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis+sentinel://127.0.0.1:1/waybill/0"])
def test_operations_are_shown_while_redis_or_its_sentinels_are_away(
    context: Context, tmp_path: Path, url: str
) -> None:
    config = tmp_path / "waybill.toml"
    config.write_text(f'{config.read_text()}[redis]\nurl = "{url}"\n')
    away = replace(context, settings=load_settings(config))
    with Browser.of(application(away), away) as operator:
        operator.log_in_as_new("operator", is_operator=True)
        assert "Redis cannot be read" in operator.shown("/operations")


def test_the_load_of_models_is_read_from_redis_as_workers_write_it(redis_url: str) -> None:
    limits = {
        "busy": Limits(rpm=600, tpm=600_000, max_concurrency=4),
        "held": Limits(),
        "idle": Limits(rpm=1),
    }

    async def call() -> None:
        async with Redis.from_url(redis_url) as client:
            limiter = RedisLimiter(client)
            await limiter.acquire("busy", limits["busy"], [100], lease_s=60)
            await limiter.refuse("held", 60)

    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        asyncio.run(call())
        busy, held, idle = model_loads(client, limits)
    assert (busy.in_flight, busy.slots, busy.circuit) == (1, 0.25, Circuit.CLOSED)
    assert busy.requests is not None
    assert busy.tokens is not None
    assert (held.circuit, held.requests) == (Circuit.ON_HOLD, None)
    assert held.wait_s > 0
    assert (idle.requests, idle.in_flight, idle.circuit) == (0.0, 0, Circuit.CLOSED)
