"""The pages on labels and on quality for less, and "Routing alone" in Python, run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

_TIMEOUT_S = 900


def blocks(page: str, language: str) -> list[str]:
    """The blocks of a language on a page."""
    text = (REPOSITORY / "docs" / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run(script: str, folder: Path, *command: str) -> str:
    """Run a script in a folder; returns all that it prints."""
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/waybill").write_text(f'#!/bin/sh\nexec {sys.executable} -m workers.cli "$@"\n')
    (folder / "bin/waybill").chmod(0o755)
    ran = subprocess.run(
        [*command, script],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def shell(page: str, folder: Path) -> str:
    """Run all shell blocks of a page, one after the other."""
    return run("".join(blocks(page, "sh")), folder, "bash", "-euc")


def rows(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_the_page_on_labels_runs_as_it_stands_and_makes_labels_of_all_that_it_names(tmp_path: Path) -> None:
    printed = shell("howto/labels.md", tmp_path)
    assert "warning: " not in printed
    assert "warnings 0" in printed
    assert (tmp_path / "router/manifest.json").exists()
    spreadsheet, judged = rows(tmp_path / "labels.jsonl"), rows(tmp_path / "judged-labels.jsonl")
    assert [row["scores"] for row in spreadsheet] == [{"small": 4, "large": 5}, {"small": 5}]
    assert [row["scores"] for row in judged] == [{"small": 0.6, "large": 0.9}, {"large": 1}]
    assert judged[0]["costs"] == {"small": 0.0001, "large": 0.002}
    voted = {row["prompt"]: row["scores"] for row in rows(tmp_path / "voted-labels.jsonl")}
    assert voted["Sort a list."]["large"] > voted["Sort a list."]["small"]  # type: ignore[index]
    assert voted["Name a prime."]["large"] == voted["Name a prime."]["small"]  # type: ignore[index]
    assert len(rows(tmp_path / "rated-labels.jsonl")) == 3


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which the page on quality for less was followed, and what it printed."""
    folder = tmp_path_factory.mktemp("chosen")
    return folder, shell("howto/quality-for-less.md", folder)


def test_the_page_on_quality_for_less_runs_as_it_stands_and_shows_the_trade(chosen: tuple[Path, str]) -> None:
    folder, printed = chosen
    for option in (
        "--quality-floor 0.02 ",
        "--quality-floor 0.05 ",
        "--cost-weight 0.1 ",
        "--cost-weight 0.3 ",
    ):
        assert f"\n{option}" in printed
    for policy in ("saving", "weighted", "budget"):
        assert f"\nThis router (policy {policy}) " in printed
    assert all("explanation" in row for row in rows(folder / "decisions.jsonl"))


def test_the_python_of_routing_alone_runs_as_it_stands(chosen: tuple[Path, str]) -> None:
    folder, _ = chosen
    code = "".join(
        block for block in blocks("python.md", "python") if "Waybill" not in block and "outer" in block
    )
    assert "local_router(" in code
    assert "router.route(" in code
    printed = run(code, folder, sys.executable, "-c")
    assert re.match(r"sort sim-\w+ \w+\nhaiku sim-\w+ \w+\n\[", printed)
