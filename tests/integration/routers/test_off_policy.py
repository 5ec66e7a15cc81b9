"""Off-policy comparison of challenger and champion on a logged batch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from router_core.errors import LabelsError
from router_core.router import Router
from tasks.learning.off_policy_log import logged_answers, sampling_propensity
from tasks.settings import Settings
from tasks.store import progress
from tasks.store.engine import Store
from tasks.store.learning.logged_choices import LoggedChoice
from tasks.store.routers import versions
from tests.support.routers import explore_and_label, promote_router, retrain_and_promote
from tests.support.unreadable_options import break_options
from workers.cli.entry_point import run
from workers.routers.off_policy import estimate_logged
from workers.views.routers import routers_view


def test_a_challenger_is_compared_off_policy_and_agrees_with_held_out_labels(
    sqlite: Store,
    settings: Settings,
    coder_and_writer: Router,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A champion with its models swapped.
    wrong = replace(coder_and_writer, models=coder_and_writer.models[::-1])
    promote_router(sqlite, settings, wrong, tmp_path / "wrong")
    explore_and_label(sqlite, settings, tmp_path, share=0.5, number=400)
    done = retrain_and_promote(sqlite, settings, tmp_path / "challenger")
    assert done.comparison is not None
    assert done.off_policy is not None, done.off_policy_skipped
    truth, found = done.comparison.overall.gain, done.off_policy
    assert truth > 0.3
    for gain in (found.gain_inverse_propensity, found.gain_doubly_robust):
        assert abs(gain.value - truth) < 4 * gain.standard_error
    assert found.gain_doubly_robust.value > 3 * found.gain_doubly_robust.standard_error
    assert 20 < found.challenger.requests < 80, "a fifth of what was drawn, all judged"
    with sqlite.read() as connection:
        figures = versions.find(connection, done.router.version).figures["comparison"]
    assert figures["off_policy"] == found.to_dict()

    with sqlite.read() as connection:
        shown = routers_view(versions.list_versions(connection), [])
    console = Console(width=300)
    with console.capture() as capture:
        console.print(shown)
    gain = found.gain_doubly_robust
    assert f"{gain.value:+.4f} ± {gain.standard_error:.4f}" in capture.get()

    monkeypatch.chdir(tmp_path)
    (tmp_path / "waybill.toml").write_text(f'home = "{tmp_path}"\n')
    monkeypatch.setattr("sys.argv", ["waybill", "evaluate", "--logged", "--router", "challenger", "--json"])
    run()
    shown = json.loads(capsys.readouterr().out)
    assert shown["doubly_robust"]["value"] == pytest.approx(found.challenger.doubly_robust.value, abs=0.1)


def test_without_propensities_or_judged_answers_the_error_gives_the_reason(
    sqlite: Store, settings: Settings, coder_and_writer: Router, tmp_path: Path
) -> None:
    promote_router(sqlite, settings, coder_and_writer, tmp_path / "router")
    with pytest.raises(LabelsError, match="no answer of a routed request was judged"):
        estimate_logged(sqlite, settings, coder_and_writer, print)

    explore_and_label(sqlite, settings, tmp_path, share=0.5, number=60)
    assert len(logged_answers(sqlite).answers) > 0
    with sqlite.write() as connection:
        connection.exec_driver_sql("UPDATE decision SET propensity = NULL")
    with pytest.raises(LabelsError, match=r"\d+ judged answers have no propensity.*--explore"):
        estimate_logged(sqlite, settings, coder_and_writer, print)


def test_training_prompts_are_not_used_for_the_estimate(
    sqlite: Store, settings: Settings, coder_and_writer: Router, tmp_path: Path
) -> None:
    promote_router(sqlite, settings, coder_and_writer, tmp_path / "router")
    explore_and_label(sqlite, settings, tmp_path, share=0.5, number=60)
    texts = [one.prompt for one in logged_answers(sqlite).answers]
    known: Router = replace(
        coder_and_writer, training_prompts=type(coder_and_writer.training_prompts).of(texts)
    )
    with pytest.raises(LabelsError, match="learnt from"):
        estimate_logged(sqlite, settings, known, print)


def test_the_propensity_is_conditional_on_the_draw_where_only_drawn_requests_were_sampled() -> None:
    def choice(propensity: float | None, epsilon: float, *, explored: bool = True) -> LoggedChoice:
        return LoggedChoice(1, "a", ("a", "b"), propensity, epsilon, explored)

    assert sampling_propensity(choice(0.05, 0.1)) == pytest.approx(0.5)  # another than the router's own
    assert sampling_propensity(choice(0.95, 0.1)) == pytest.approx(0.5)  # the router's own, by chance
    assert sampling_propensity(choice(0.25, 1.0)) == pytest.approx(0.25)
    assert sampling_propensity(choice(0.95, 0.1, explored=False)) == 0.95
    assert sampling_propensity(choice(0.4, 0.7)) is None
    assert sampling_propensity(choice(None, 0.1)) is None


def test_choices_of_a_batch_whose_options_a_newer_waybill_stored_are_left_out(
    sqlite: Store, settings: Settings, coder_and_writer: Router, tmp_path: Path
) -> None:
    promote_router(sqlite, settings, coder_and_writer, tmp_path / "router")
    explore_and_label(sqlite, settings, tmp_path, share=0.5, number=60)
    with sqlite.read() as connection:
        numbers = {one.batch_no for one in progress.list_batches(connection)}
    for number in numbers:
        break_options(sqlite, number)
    assert not logged_answers(sqlite).answers
