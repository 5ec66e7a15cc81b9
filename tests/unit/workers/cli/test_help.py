"""Help texts show what they say, in 80 columns, too: tables of the settings, ranges, names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from workers.cli.application import app


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("flower", "[flower] port"),
        ("api", "[api] address"),
        ("train", "[embedder] model"),
        ("route", "[router] policy"),
        ("judge", "[judge] models"),
        ("submit", "[router]"),
    ],
)
def test_help_shows_the_tables_of_the_settings(command: str, shown: str) -> None:
    text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    assert shown in " ".join(text.split())


def _commands(group: Any, *path: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, *path, name)
        else:
            yield (*path, name)


@pytest.mark.parametrize("command", _commands(typer.main.get_command(app)), ids=" ".join)
def test_half_a_terminal_of_80_columns_is_left_for_what_options_mean(command: tuple[str, ...]) -> None:
    text = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "80"}).output
    line = next(line for line in text.splitlines() if "Show this message" in line)
    assert line.index("Show this message") <= 45


def test_a_switch_shows_the_name_that_changes_something() -> None:
    text = CliRunner().invoke(app, ["up", "--help"], env={"COLUMNS": "80"}).output
    assert "--simulate" in text
    assert "--no-flower" in text
    assert " --flower" not in text


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("submit", "in.jsonl", "--budget"), "--budget"),
        (("retry", "batch_1", "--budget"), "--budget"),
        (("collect", "in.jsonl", "--budget"), "--budget"),
        (("collect", "in.jsonl", "--share"), "--share"),
        (("judge", "--budget"), "--budget"),
        (("init", "--yes", "--budget"), "--budget"),
        (("budget", "batch_1"), "all that it may"),
    ],
    ids=" ".join,
)
def test_an_amount_that_must_be_above_0_is_a_wrong_use_where_it_is_not(
    arguments: tuple[str, ...], option: str
) -> None:
    refused = CliRunner().invoke(app, [*arguments, "0"], env={"COLUMNS": "200"})
    assert refused.exit_code == 2
    assert "more than 0" in refused.output
    shown = CliRunner().invoke(app, [arguments[0], "--help"], env={"COLUMNS": "200"}).output
    line = next(line for line in shown.splitlines() if option in line.lower())
    assert ">0" in line or "more than 0" in line
    assert "x>=0" not in line
