"""Help texts show what they say: words in brackets are tables of the settings, not markup."""

from __future__ import annotations

import pytest
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
