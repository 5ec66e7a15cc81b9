"""`Waybill.estimate`: the dry run from Python, at a store and at an API server; nothing is called or kept."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from sqlalchemy import func, select

from tasks.store.api import files
from tasks.store.engine import Store
from tasks.store.tables import batch
from tests.support import routers
from tests.support.comparisons import assert_fields
from tests.support.page import Browser
from waybill import AsyncWaybill, Estimate, UsageError, Waybill
from workers.backends.server.backend import ServerBackend
from workers.submit_options import SubmitOptions

#: Starlette's client in this process has no timeouts
pytestmark = pytest.mark.filterwarnings("ignore:You should not use the 'timeout' argument")

PROMPTS = ["one", "one", None, "two", {"prompt": "three", "model": "nobody"}]


@pytest.fixture
def at_store(browser: Browser, tmp_path: Path) -> Waybill:
    return Waybill(tmp_path / "waybill.toml")


@pytest.fixture
def at_server(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Waybill:
    """The Python API at the server of the browser, whose process of the estimate reads the same settings."""
    monkeypatch.setenv("WAYBILL_CONFIG", str(tmp_path / "waybill.toml"))
    waybill = Waybill(url="http://testserver", key=browser.key_text)
    assert isinstance(waybill._backend, ServerBackend)
    server = waybill._backend._server
    server.close()
    browser.client.headers, browser.client.base_url = server._http.headers, server._http.base_url
    server._http = browser.client
    return waybill


def _assert_estimated(found: Estimate, store: Store) -> None:
    assert_fields(found, requests=3, duplicates=1, invalid={"not_an_object": 1, "unknown_model": 1})
    assert [one.line for one in found.bad_lines] == [3, 5]
    assert found.mix is not None
    assert found.mix.models == {"small": 2}
    assert 0 < (found.cost_usd or 0) < (found.worst_usd or 0)
    assert found.router == "no router: small for every prompt"
    assert found.best_single_usd is None
    with store.read() as connection:
        assert connection.execute(select(func.count()).select_from(batch)).scalar_one() == 0


def test_an_estimate_at_a_store_makes_no_batch(at_store: Waybill, store: Store) -> None:
    bad: list[int] = []
    found = at_store.estimate(PROMPTS, max_tokens=64, on_error=lambda error: bad.append(error.line))
    assert bad == [3, 5]
    _assert_estimated(found, store)


def test_an_estimate_is_awaited(tmp_path: Path, browser: Browser, store: Store) -> None:
    async def estimated() -> Estimate:
        async with AsyncWaybill(tmp_path / "waybill.toml") as waybill:
            return await waybill.estimate(PROMPTS, max_tokens=64)

    _assert_estimated(asyncio.run(estimated()), store)


def test_an_estimate_at_a_server_is_that_of_a_store_and_leaves_no_file(
    at_store: Waybill, at_server: Waybill, browser: Browser, store: Store
) -> None:
    found = at_server.estimate(PROMPTS, max_tokens=64)
    _assert_estimated(found, store)
    assert found == at_store.estimate(PROMPTS, max_tokens=64)
    assert browser.get("/files").json()["data"] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [({"strict": True}, "2 bad lines"), ({"models": ["nobody"]}, "nobody"), ({"budget": 0}, "budget")],
)
def test_an_estimate_refuses_what_a_submission_refuses(
    at_store: Waybill, at_server: Waybill, options: Any, said: str
) -> None:
    for waybill in (at_store, at_server):
        with pytest.raises(UsageError, match=said):
            waybill.estimate(PROMPTS, **options)
        with pytest.raises(UsageError, match="holds no request"):
            waybill.estimate([None])  # type: ignore[list-item]


def test_a_routing_budget_that_has_no_effect_is_said(at_store: Waybill, at_server: Waybill) -> None:
    for waybill in (at_store, at_server):
        found = waybill.estimate(["one"], budget_per_1000=1.0)
        assert found.warnings == ("the routing budget has no effect without a router",)
        assert waybill.estimate(["one"], policy="saving", quality_floor=0.02).warnings == ()


def test_an_option_that_there_is_not_is_refused_as_submit_refuses_it(at_store: Waybill) -> None:
    with pytest.raises(TypeError, match="max_token'"):
        at_store.estimate(["a"], max_token=5)  # type: ignore[call-arg]


def test_a_failure_of_the_server_is_not_called_the_visitor_s(browser: Browser, at_server: Waybill) -> None:
    file_id = browser.tenant.upload(["{}"])
    for path in (browser.tenant.settings.home / "files").iterdir():
        path.unlink()
    asked = {"input_file_id": file_id, "endpoint": "/v1/chat/completions"}
    answered = browser.client.post("/estimates", json=asked)
    assert (answered.status_code, answered.json()["error"]["type"]) == (503, "server_error")


def test_another_key_s_file_is_not_estimated(browser: Browser, at_server: Waybill, store: Store) -> None:
    with store.write() as connection:
        values = {"purpose": "batch", "filename": "x", "stored_as": "x", "bytes": 1, "sha256": "x"}
        file_id = files.create(connection, owner="another", **values)["id"]
    asked = {"input_file_id": file_id, "endpoint": "/v1/chat/completions"}
    assert browser.client.post("/estimates", json=asked).status_code == 404
    assert browser.client.post("/estimates", json={**asked, "endpoint": "/v1/none"}).status_code == 400


def test_an_estimate_says_what_the_best_single_model_would_cost(tmp_path: Path, trained_router: Path) -> None:
    config = tmp_path / "trained.toml"
    models = "".join(
        f'[[models]]\nname = "{name}"\nlitellm = "x/{name}"\ninput_price = {price}\noutput_price = {price}\n'
        for name, price in (("coder", 1), ("writer", 4))
    )
    config.write_text(f'home = "{tmp_path}/home"\n[router]\npath = "{trained_router}"\n{models}')
    with Waybill(config) as waybill:
        found = waybill.estimate([routers.CODE.format(n=n) for n in range(20)])
    costs = {one.model: one.cost_usd for one in found.models}
    assert found.best_single in costs
    assert found.best_single_usd == costs[found.best_single]
    assert found.cost_usd is not None
    with Waybill(config) as waybill:
        (other,) = {one.model for one in found.models} - {found.best_single}
        limited = waybill.estimate(["a"], models=[other])
    assert limited.best_single is None, "it is not among those that may answer"
    assert sum(found.mix.models.values() if found.mix else ()) == 20


def test_an_estimate_takes_all_options_of_a_submission() -> None:
    hints = get_type_hints(Waybill.submit)
    options = set(inspect.signature(Waybill.submit).parameters) - {"self", "prompts", "on_error"}
    assert {name: hints[name] for name in options} == get_type_hints(SubmitOptions)
