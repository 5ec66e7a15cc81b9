"""Screens at 80 and 120 columns: ids and numbers whole, one screen for what is watched."""

from dataclasses import replace

import pytest
from rich.console import Group
from rich.text import Text

from router_core.monitoring.canary import Arm, SampleStats
from tasks.store.batch_progress import PausedModel, Rate
from tasks.store.health.model_errors import ModelError
from tasks.store.routers.canary_stats import RunningCanary
from tasks.store.routers.roles import Roles
from tasks.store.routers.versions import Version
from tasks.store.summary import CategorySummary, ModelSummary
from tests.support.progress import DONE
from tests.support.screens import LINES, assert_screen, drawn
from workers.views.batch_report import BatchReport
from workers.views.canary import canary_line
from workers.views.live import live_view
from workers.views.routers import routers_view
from workers.views.status import batch_view, batches_table

AT = 1_795_000_000_000
#: a batch with as many digits as there will be
LARGE = replace(
    DONE, batch_id="batch_0123456789abcdef", name="nightly summaries of the support tickets",
    status="in_progress", total=2_400_000, succeeded=2_000_000, failed=24_000, in_flight=4_000,
    embedded=2_400_000, cache_hits=1_200, routed=2_390_000, created_at=AT, finished_at=None,
    elapsed_s=3_600.0, budget=20_000_000_000, spent=12_345_670_000, reserved=123_450_000, saved=12_000_000,
)  # fmt: skip
#: a canary with as many digits as there will be, of which few answers are judged
RUNNING = RunningCanary(
    Roles("57094eebb7c8", "aaaaaaaaaaaa", 0.1, AT),
    Arm(
        SampleStats(1_984, 0.0123, 0.0121), SampleStats(1_984, 0.000912, 1e-6), SampleStats(12, 0.5, 0.1),
        batches=12,
    ),
    Arm(
        SampleStats(18_016, 0.0111, 0.011), SampleStats(18_016, 0.00076, 1e-6), SampleStats(480, 0.51, 0.1),
        batches=14,
    ),
    AT,
)  # fmt: skip
SMALL = replace(DONE, batch_id="batch_fedcba9876543210", created_at=AT)
COLLECTED = replace(SMALL, batch_id="batch_aaaaaaaaaaaaaaaa", purpose="collect", budget_stops=2)


def test_the_list_of_batches_has_whole_ids_times_names_and_money() -> None:
    assert_screen("status", batches_table([LARGE, COLLECTED, replace(SMALL, owner="team-of-the-support")]))


def test_the_report_on_a_batch_is_whole() -> None:
    models = (ModelSummary("sim-large", 1_200_000, 1_250_000, 1_200, 24_000, 12_000_000_000, 812.4),)
    categories = (
        CategorySummary("mathematics", 900_000, 1_200, {"sim-large": 800_000, "sim-nano": 100_000}),
    )
    assert_screen("status-batch", batch_view(BatchReport(LARGE, models, categories, {"timeout": 24_000})))


def test_a_batch_is_watched_on_one_screen() -> None:
    assert_screen("watch", live_view(LARGE, Rate(1_204.4, 7_384.0)))


def test_what_holds_up_a_watched_batch_stays_on_one_screen() -> None:
    failing = tuple(
        ModelError(f"model-{n}", "connection", 28, AT, AT, seconds_ago=3.0, detail="connection")
        for n in range(30)
    )
    paused = (PausedModel("sim-large", "invalid key", 12.0),)
    view = live_view(
        replace(LARGE, errors=failing, paused=paused, missing_roles=("dispatch",), lacks_stack=True),
        Rate(0.0, None),
    )
    assert_screen("watch-held-up", view)
    assert len(drawn(view, 80).splitlines()) <= LINES


@pytest.mark.parametrize("width", [80, 120])
def test_no_batch_is_said_to_be_whole_before_its_last_request_has_ended(width: int) -> None:
    almost = replace(SMALL, status="in_progress", total=100_000, succeeded=99_999)
    shown = drawn(Group(batches_table([almost]), live_view(almost, Rate(1.0, 1.0))), width)
    assert "100%" not in shown
    assert shown.count("99%") == 2


def test_the_versions_of_routers_are_whole() -> None:
    compared = {
        "gain": 0.0392, "standard_error": 0.0085, "prompts": 1_140, "challenger_score": 0.8834,
        "challenger_cost": 0.00076, "champion": "57094eebb7c8",
        "off_policy": {"gain_doubly_robust": {"value": 0.01, "standard_error": 0.004}},
    }  # fmt: skip
    guard = {
        "quality": {
            "familiar": {"gain": 0.02, "standard_error": 0.003},
            "left_out": {"gain": 0.01, "standard_error": 0.004},
        },
        "saving": None,
    }
    none = {policy: {"left_out": {"gain": -0.02, "standard_error": 0.01}} for policy in guard}
    figures = {"models": ["a"] * 11, "prompts": 12_340, "shift": {"guard": guard, "none": none}}
    stored = [
        Version("aaaaaaaaaaaa", "the store's labels", {**figures, "comparison": compared}, AT, "canary", 0.1),
        Version("57094eebb7c8", "/home/someone/routers/first", {**figures, "shift": None}, AT, "champion"),
    ]
    events = [(AT, "canary", "aaaaaaaaaaaa", "better on held-out prompts")]
    assert_screen("routers", routers_view(stored, events, RUNNING))
    assert_screen("canary", Text(canary_line(RUNNING)))


def test_many_versions_fit_a_screen_and_those_in_a_role_are_always_there() -> None:
    figures = {"models": ["a"], "prompts": 100}
    stored = [Version(f"version-{n:04}", f"source {n}", figures, AT, None) for n in range(30)]
    stored[20] = replace(stored[20], role="champion")
    events = [(AT, "champion", f"version-{n:04}", "asked") for n in range(20)]
    brief = drawn(routers_view(stored, events), 80)
    assert len(brief.splitlines()) <= 24
    assert [line for line in brief.splitlines() if "19 older: --all" in line]
    assert "version-0020 champion" in brief
    assert "version-0020  from source 20" in brief
    assert "version-0000  from source 0" in brief
    assert "version-0010" not in brief
    everything = drawn(routers_view(stored, events, is_all=True), 80)
    assert [n for n in range(30) if f"version-{n:04}  from source {n}" not in everything] == []
    assert "--all" not in everything
