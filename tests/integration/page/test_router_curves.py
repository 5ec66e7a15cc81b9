"""The plots of a router on the page, from what its training records."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from router_core.router import Router
from tasks.store.engine import Store
from tasks.store.routers import roles, versions
from tests.support.page import Browser
from workers.page.routers.curves import plots_of
from workers.page.routers.plots import BOX, Mark, with_names_apart
from workers.routers import promotion


def _manifest(trained_router: Path) -> dict:
    return dict(json.loads((trained_router / "manifest.json").read_text()))


def test_a_training_records_its_curves_and_the_page_draws_them(
    trained_router: Path, store: Store, new_browser: Callable[..., Browser]
) -> None:
    version = promotion.register(store, trained_router, source="a test")
    operator = new_browser("operator", is_operator=True)
    shown = operator.shown(f"/routers/{version}")
    assert shown.count("<svg") == 2
    for text in ("Cost and quality", "Accuracy against tau", ">coder</text>", ">writer</text>", "tau "):
        assert text in shown
    assert shown.count(f'x1="{BOX.left}"') > 4
    assert f'href="/routers/{version}"' in operator.shown("/routers")
    with store.write() as connection:
        roles.promote(connection, version, reason="asked")
    assert operator.shown("/routers").count("<svg") == 2
    assert operator.get("/routers/none").status_code == 404
    assert new_browser("team").get(f"/routers/{version}").status_code == 403


def test_the_record_holds_each_model_alone_and_the_whole_range_of_tau(trained_router: Path) -> None:
    curves = Router.load(trained_router).training["curves"]
    assert curves["costs_in_dollars"]
    costs = {name: one["cost"] for name, one in curves["single_models"].items()}
    assert costs == pytest.approx({"coder": 0.001, "writer": 0.004})
    assert min(abs(one["gain"]) for one in curves["single_models"].values()) == 0
    shares = [point["classifier_share"] for point in curves["thresholds"]]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)


def test_the_names_of_models_that_lie_together_stand_below_each_other() -> None:
    together = [Mark(name, "single", 100.0 + n, 50.0 + n, 0.0, 0.0) for n, name in enumerate("abc")]
    far = Mark("d", "single", 500.0, 51.0, 0.0, 0.0)
    found = {one.name: one.name_y for one in with_names_apart([*together, far])}
    assert found["b"] - found["a"] >= 13
    assert found["c"] - found["b"] >= 13
    assert found["d"] == 45.0


def test_every_place_of_a_plot_lies_within_its_axes(trained_router: Path) -> None:
    plots = plots_of(_manifest(trained_router))
    assert len(plots) == 2
    for plot in plots:
        places = " ".join([*(line.points for line in plot.lines), plot.band])
        pairs = [tuple(map(float, pair.split(","))) for pair in re.findall(r"\S+", places)]
        pairs += [(mark.x, y) for mark in plot.marks for y in (mark.low, mark.y, mark.high)]
        outside = [
            (x, y) for x, y in pairs if not (BOX.left <= x <= BOX.right and BOX.top <= y <= BOX.bottom)
        ]
        assert outside == []
        assert len(plot.x_ticks) >= 2
        assert len(plot.y_ticks) >= 2


def test_without_costs_or_a_record_there_is_no_curve(trained_router: Path) -> None:
    manifest = _manifest(trained_router)
    manifest["training"]["curves"]["costs_in_dollars"] = False
    assert [plot.title for plot in plots_of(manifest)] == ["Accuracy against tau"]
    manifest["training"]["curves"]["thresholds"] = []
    assert plots_of(manifest) == []
    del manifest["training"]["curves"]
    assert plots_of(manifest) == []
    assert plots_of({}) == []


def test_a_version_without_a_manifest_has_none(store: Store) -> None:
    with store.read() as connection:
        assert versions.manifest_of(connection, "none") == {}
