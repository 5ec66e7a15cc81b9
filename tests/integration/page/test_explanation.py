"""The explanation of a decision by a router that was really trained, from the process that loads it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from router_core.router import Router
from tasks.files.opening import open_storage
from tasks.settings import Settings, load_settings
from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.schema import ensure_schema
from tests.support import routers
from tests.support.command import assert_exit, waybill
from tests.support.page import Browser
from workers.api.application import application
from workers.api.context import Context
from workers.api.keys.concurrency import KeyRequests

#: the writer costs four times as much as the coder, as in the labels
CONFIG = """home = "{home}"
[redis]
url = "{redis}"
[router]
policy = "quality"
[[models]]
name = "coder"
litellm = "x/coder"
input_price = 1
output_price = 1
[[models]]
name = "writer"
litellm = "x/writer"
input_price = 4
output_price = 4
"""


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that the process of the explanation reads, too."""
    config = tmp_path / "waybill.toml"
    config.write_text(CONFIG.format(home=tmp_path, redis=redis_url))
    monkeypatch.setenv("WAYBILL_CONFIG", str(config))
    return load_settings(config)


@pytest.fixture
def own_store(settings: Settings) -> Store:
    store = Store(settings.store_url)
    ensure_schema(store)
    return store


@pytest.fixture
def routed(settings: Settings, own_store: Store, trained_router: Path, tmp_path: Path) -> str:
    """A batch whose first prompt asks for code, and whose second one asks for a poem; its id."""
    routers.promote_router(own_store, settings, Router.load(trained_router), tmp_path / "router")
    lines = [
        {"id": "code", "prompt": routers.CODE.format(n=11_000)},
        {"id": "poem", "prompt": routers.POEM.format(n=11_001)},
        {"id": "named", "prompt": "Hello", "model": "coder"},
    ]
    number, _ = routers.route_lines(settings, own_store, lines)
    with own_store.read() as connection:
        return str(batches.by_number(connection, number)["id"])


@pytest.fixture
def operator(settings: Settings, own_store: Store) -> Browser:
    context = Context(settings, own_store, open_storage(settings), KeyRequests(100))
    browser = Browser.of(application(context), context)
    browser.log_in_as_new("operator", is_operator=True)
    return browser


def _bars(shown: str, label: str) -> dict[str, float]:
    """Return the values of the bars whose label begins so, by the rest of the label."""
    found = re.findall(rf'<progress max="[^"]*" value="([^"]*)" aria-label="{label} ([^"]*)"', shown)
    return {name: float(value) for value, name in found}


def test_a_decision_is_explained_with_all_that_the_router_weighed(operator: Browser, routed: str) -> None:
    page = operator.shown(f"/batches/{routed}/request?custom_id=code")
    assert "Explain: probabilities" in page
    scores = _bars(page, "Predicted score of")
    assert list(scores) == ["coder", "writer"]
    shown = operator.shown(f"/batches/{routed}/request/explanation?custom_id=code")
    assert "<strong>coder</strong>: highest predicted score" in shown
    categories = _bars(shown, "Probability of")
    assert max(categories, key=categories.__getitem__) == "coding"
    assert sum(categories.values()) == pytest.approx(1, abs=1e-3)
    prices = _bars(shown, "Price of")
    assert prices["writer"] > prices["coder"] > 0
    assert re.search(r"<dt>Gap</dt><dd>\d\.\d{4} <span class=\"note\">tau \d\.\d{4}</span>", shown)
    assert re.search(
        r"<dt>Nearest labelled prompts</dt><dd>p\d+, p\d+, p\d+ <span class=\"note\">ids in the labels", shown
    )
    assert "<dt>Classifier</dt>" in shown
    assert "sorts list number" not in shown


def test_a_request_that_no_router_decided_on_is_not_explained(operator: Browser, routed: str) -> None:
    page = operator.shown(f"/batches/{routed}/request?custom_id=named")
    assert "named model" in page
    assert "Explain: probabilities" not in page
    shown = operator.shown(f"/batches/{routed}/request/explanation?custom_id=named")
    assert "no router has decided on this request" in shown


def test_the_command_explains_a_request_and_names_the_lines_of_the_nearest_labelled_prompts(
    settings: Settings, routed: str, tmp_path: Path
) -> None:
    rows = [{"id": f"p{n}", "prompt": f"{n}", "scores": {}} for n in range(10_000)]
    labels_file = tmp_path / "labels.jsonl"
    labels_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = waybill("explain", routed, "code", "--labels", str(labels_file), cwd=settings.home)
    assert_exit(told, 0)
    assert told.stdout.startswith("coder: highest predicted score; category coding (")
    near = told.stdout.strip().rpartition("most like ")[2].split(", ")
    for name in near:
        assert f"{name}: {labels_file}, line {int(name[1:]) + 1}" in told.stderr
    assert "sorts list number" not in told.stdout + told.stderr
    shown = json.loads(waybill("explain", routed, "code", "--json", cwd=settings.home).stdout)
    assert (shown["model"], shown["chosen_then"], shown["neighbours"]) == ("coder", "coder", near)


@pytest.mark.parametrize(
    ("custom_id", "why"),
    [("named", "no router has decided on this request"), ("nobody", "the batch has no such request")],
)
def test_the_command_says_why_a_request_is_not_explained(
    settings: Settings, routed: str, custom_id: str, why: str
) -> None:
    refused = waybill("explain", routed, custom_id, cwd=settings.home)
    assert_exit(refused, 1)
    assert why in refused.stderr
