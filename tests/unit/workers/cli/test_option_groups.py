"""Options that several commands share."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from workers.cli.option_groups import with_options


@dataclass(frozen=True)
class Size:
    width: Annotated[int, typer.Option(min=1, help="How wide.")] = 1
    name: str | None = None


@with_options(Size)
def draw(what: str, *, first: bool = False, size: Size, last: bool = False) -> None:
    """Draw it."""
    print(what, first, size, last)


def test_the_fields_stand_where_the_group_stood_with_their_types_and_help() -> None:
    assert list(inspect.signature(draw).parameters) == ["what", "first", "width", "name", "last"]
    app = typer.Typer(add_completion=False)
    app.command()(draw)
    done = CliRunner().invoke(app, ["box", "--width", "3", "--last"])
    assert done.output == "box False Size(width=3, name=None) True\n"
    assert CliRunner().invoke(app, ["box", "--width", "0"]).exit_code == 2
    assert "How wide." in CliRunner().invoke(app, ["--help"]).output
