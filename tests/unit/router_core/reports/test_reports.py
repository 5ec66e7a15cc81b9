import re
import subprocess
import sys
from dataclasses import replace

import pytest

from router_core.errors import ConfigurationError
from router_core.evaluation import evaluate
from router_core.reports.page import page
from router_core.reports.plots import plots

NAMES = {"cost_quality", "tau", "gap", "calibration", "confusion", "model_mix"}


@pytest.fixture(scope="module")
def found(router, unseen):
    return evaluate(router, *unseen)


@pytest.fixture(scope="module")
def pictures(found):
    return plots(found)


def test_every_plot_is_a_png_and_the_same_again(found, pictures):
    assert set(pictures) == NAMES
    assert [name for name, png in pictures.items() if not png.startswith(b"\x89PNG\r\n")] == []
    assert plots(found) == pictures


def test_the_page_is_whole_by_itself(found, pictures):
    html = page(found, pictures)
    assert html.count('src="data:image/png;base64,') == len(NAMES)
    assert not re.search(r"(src|href)=(?!.data:)", html)
    assert not re.search(r"https?://|url\(|@import|<script", html)
    for line in found.strategies:
        assert f"<th>{line.name}</th>" in html


def test_neither_page_nor_plots_hold_a_prompt(found, pictures, unseen):
    html = page(found, pictures)
    assert [row.prompt for row in unseen[0] if row.prompt in html] == []


def test_a_page_on_prompts_that_were_learnt_from_warns_in_its_first_lines(router, labelled):
    html = page(evaluate(router, *labelled, include_training=True), {})
    assert '<p class="warning">NOT HELD OUT: ' in html


def test_names_of_models_cannot_write_html(router, unseen):
    names = {"coder": "<script>alert(1)</script>", "counter": "a&b", "generalist": 'x" onload="y'}
    odd = replace(router, models=tuple(names[model] for model in router.models))
    rows = [
        replace(
            row,
            scores={names[m]: s for m, s in row.scores.items()},
            costs={names[m]: c for m, c in row.costs.items()},
        )
        for row in unseen[0]
    ]
    html = page(evaluate(odd, rows, unseen[1]), {})
    assert "<script" not in html
    assert '" onload' not in html
    assert "&lt;script&gt;" in html


def test_what_has_no_figures_has_no_plot(router, unseen):
    rows = [replace(row, costs=None, category=None) for row in unseen[0]]
    found = evaluate(router, rows, unseen[1])
    pictures = plots(found)
    assert set(pictures) == NAMES - {"cost_quality", "confusion"}
    assert "None" not in page(found, pictures)


def test_without_matplotlib_the_error_says_what_to_install(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigurationError, match=r"waybill\[report\]"):
        plots(found)


def test_the_help_of_the_command_imports_no_matplotlib():
    code = "import sys, workers.cli.application; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
