"""`waybill demo`: everything at once, on simulated models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    requests: Annotated[int, typer.Option(min=20, help="Lines of the demo's batch.")] = 1000,
    judged: Annotated[
        int, typer.Option(min=0, help="Prompts that judges compare for the learning loop; 0 leaves it out.")
    ] = 250,
    home: Annotated[Path, typer.Option(help="Where everything is put.")] = Path(".waybill/demo"),
) -> None:
    """Train a router, start the stack with simulated models, answer a batch, go round the loop, and report.

    Afterwards the learning loop begins as if there were no labels: all models answer a sample, judges compare
    the answers, a router is trained on what they said and promoted, and it is measured by the strengths that
    the simulator documents (share of good answers):

    \b
                maths  coding  reasoning  summaries  writing   $ per M tokens
    sim-nano     0.45    0.45       0.50       0.82     0.50       0.10 /  0.40
    sim-coder    0.82    0.92       0.66       0.60     0.40       0.50 /  1.50
    sim-writer   0.42    0.40       0.62       0.88     0.92       0.80 /  2.40
    sim-large    0.90    0.74       0.92       0.74     0.62       3.00 / 12.00
    """
    from workers.views.demo import run_and_show

    raise typer.Exit(run_and_show(home, requests, judged))
