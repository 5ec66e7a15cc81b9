"""`waybill demo`: everything at once, on simulated models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    requests: Annotated[int, typer.Option(min=20, help="Lines of the demo's batch.")] = 1000,
    home: Annotated[Path, typer.Option(help="Where everything is put.")] = Path(".waybill/demo"),
) -> None:
    """Train a router, start the stack with simulated models, answer a batch, and report."""
    from workers.cli.demo_view import run_and_show

    raise typer.Exit(run_and_show(home, requests))
