"""The plots and the HTML page of an evaluation: complete, self-contained, escaped and without prompts."""

import re
import subprocess
import sys
from dataclasses import replace
from html import escape

import pytest

from router_core.errors import ConfigurationError
from router_core.evaluation import evaluate
from router_core.evaluation.tables import label_of
from router_core.reports.page import page
from router_core.reports.plots import plots

PLOTS = {"cost_quality", "tau", "gap", "calibration", "confusion", "model_mix"}


@pytest.fixture(scope="module")
def evaluation(router, unseen):
    return evaluate(router, *unseen)


@pytest.fixture(scope="module")
def drawn(evaluation):
    return plots(evaluation)


def test_every_plot_is_a_png_and_the_same_each_time(evaluation, drawn):
    assert set(drawn) == PLOTS
    assert [name for name, png in drawn.items() if not png.startswith(b"\x89PNG\r\n")] == []
    assert plots(evaluation) == drawn


def test_the_page_contains_everything_and_loads_nothing(evaluation, drawn):
    html = page(evaluation, drawn)
    assert html.count('src="data:image/png;base64,') == len(PLOTS)
    assert not re.search(r"(src|href)=(?!.data:)", html)
    assert not re.search(r"https?://|url\(|@import|<script", html)
    for result in evaluation.strategies:
        assert f"<th>{label_of(result)}</th>" in html
    for sentence in evaluation.verdicts.values():
        assert f'<p class="verdict">{escape(sentence)}</p>' in html
    for option in ("--quality-floor 0.02", "--cost-weight 0.1"):
        assert f"<th>{option}</th>" in html


def test_the_page_contains_no_prompt(evaluation, drawn, unseen):
    html = page(evaluation, drawn)
    assert [row.prompt for row in unseen[0] if row.prompt in html] == []


def test_a_page_on_training_prompts_warns(router, labelled):
    html = page(evaluate(router, *labelled, include_training=True), {})
    assert '<p class="warning">NOT HELD OUT: ' in html


def test_the_names_of_models_are_escaped(router, unseen):
    names = {"coder": "<script>alert(1)</script>", "counter": "a&b", "generalist": 'x" onload="y'}
    renamed = replace(router, models=tuple(names[model] for model in router.models))
    rows = [
        replace(
            row,
            scores={names[m]: s for m, s in row.scores.items()},
            costs={names[m]: c for m, c in row.costs.items()},
        )
        for row in unseen[0]
    ]
    html = page(evaluate(renamed, rows, unseen[1]), {})
    assert "<script" not in html
    assert '" onload' not in html
    assert "&lt;script&gt;" in html


def test_without_costs_and_categories_there_are_no_plots_of_them(router, unseen):
    rows = [replace(row, costs=None, category=None) for row in unseen[0]]
    evaluation = evaluate(router, rows, unseen[1])
    drawn = plots(evaluation)
    assert set(drawn) == PLOTS - {"cost_quality", "confusion"}
    assert "None" not in page(evaluation, drawn)


def test_without_matplotlib_the_error_names_what_to_install(evaluation, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigurationError, match=r"waybill\[report\]"):
        plots(evaluation)


def test_the_help_of_the_command_imports_no_matplotlib():
    code = "import sys, workers.cli.application; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
