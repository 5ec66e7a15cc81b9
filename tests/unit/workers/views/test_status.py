"""Progress for people: one line, tables, live views; and as JSON."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from tasks.store.batch_progress import PausedModel, Rate
from tests.support.progress import DONE
from workers.views.batch_report import BatchReport, progress_to_dict
from workers.views.live import live_view
from workers.views.status import (
    LOST,
    batch_view,
    batches_table,
    cost,
    duration,
    lost_text,
    progress_line,
    usd,
)


def test_bad_lines_are_in_the_line_of_progress() -> None:
    assert "0 failed, 4 bad lines, 0 in flight" in progress_line(replace(DONE, invalid=4), Rate(2.0, None))


def test_a_plain_line_says_everything_that_status_promises() -> None:
    running = replace(
        DONE, status="in_progress", total=20, in_flight=3, failed=1, succeeded=9, budget=9_000_000
    )
    assert progress_line(running, Rate(2.0, 75.0)) == (
        "batch_1 in_progress: 10 of 20 done, 1 failed, 3 in flight, "
        "spent $2.0000, budget $9.0000, projected $4.0000, 2.0/s, 1 min 15 s left"
    )
    assert duration(7384) == "2 h 03 min"


def test_progress_as_json_counts_money_in_dollars() -> None:
    values = progress_to_dict(replace(DONE, paused=(PausedModel("a", "invalid key", 3.0),)))
    assert values["cost_usd"] == 2.0
    assert values["budget_usd"] is None
    assert values["rate_per_s"] == 2.0
    assert json.loads(json.dumps(values))["paused"] == [
        {"model": "a", "reason": "invalid key", "seconds_left": 3.0}
    ]


@pytest.mark.parametrize("width", [80, 60])
def test_an_id_in_the_list_of_batches_can_be_copied_in_a_narrow_terminal(width: int) -> None:
    out = io.StringIO()
    large = replace(DONE, batch_id="batch_0123456789abcdef", status="in_progress", total=2_400_000)
    Console(file=out, width=width).print(batches_table([large, DONE]))
    assert "batch_0123456789abcdef" in out.getvalue()
    assert "…" not in out.getvalue()


def test_live_view_and_status_view_can_be_drawn() -> None:
    out = io.StringIO()
    console = Console(file=out, width=120)
    running = replace(DONE, status="in_progress", paused=(PausedModel("a", "invalid key", 3.0),))
    console.print(live_view(running, Rate(1.0, 2.0)))
    console.print(batch_view(BatchReport(running, (), (), {"timeout": 2})))
    assert "a is paused: invalid key (3 s)" in out.getvalue()
    assert "failures: timeout ×2" in out.getvalue()


def test_small_amounts_keep_four_decimals() -> None:
    assert [usd(2_900), usd(12_345_678)] == ["$0.0029", "$12.35"]


def test_an_amount_below_0_has_its_sign_before_the_dollars() -> None:
    assert [usd(-20_000), usd(-12_345_678), usd(-4), usd(0)] == ["−$0.0200", "−$12.35", "$0.0000", "$0.0000"]


def test_routing_that_has_cost_more_than_it_saved_says_why() -> None:
    assert cost(replace(DONE, routing_saved=-20_000)).endswith(f", saved by routing −$0.0200 ({LOST})")
    assert cost(replace(DONE, routing_saved=20_000)).endswith(", saved by routing $0.0200")
    assert [lost_text(saved) for saved in (None, 0, 5, -4, -51)] == ["", "", "", "", LOST]
