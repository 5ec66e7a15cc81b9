"""`waybill demo`: everything at once, on simulated models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from workers.cli.exit_codes import ExitCode


def demo(
    requests: Annotated[int, typer.Option(min=20, metavar="N", help="Lines of the demo's batch.")] = 1000,
    judged: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Prompts that judges compare for the learning loop; 0 leaves it out."
        ),
    ] = 250,
    home: Annotated[Path, typer.Option(help="Where everything is put.")] = Path(".waybill/demo"),
    verbose: Annotated[bool, typer.Option("--verbose", help="Print each step and all figures.")] = False,
) -> None:
    """Train a router, start the stack with simulated models, answer a batch, go round the loop, and report.

    Afterwards the learning loop begins as if there were no labels: all models answer a sample, judges compare
    the answers, a router is trained on what they said and promoted, and it is measured by the strengths that
    the simulator documents (share of good answers):

                    maths  coding  reasoning  summaries  writing   $ per M tokens
        sim-nano     0.45    0.45       0.50       0.82     0.50       0.10 /  0.40
        sim-coder    0.82    0.92       0.66       0.60     0.40       0.50 /  1.50
        sim-writer   0.42    0.40       0.62       0.88     0.92       0.80 /  2.40
        sim-large    0.90    0.74       0.92       0.74     0.62       3.00 / 12.00
    """
    raise typer.Exit(_run_and_show(home, requests, judged, verbose=verbose))


def _run_and_show(home: Path, requests: int, judged: int, *, verbose: bool) -> ExitCode:
    """Run the demo, print its summary and write it to a file; SOME_FAILED where more failed than should."""
    from workers.cli.bad_lines import MAX_SHOWN, BadLines
    from workers.cli.exit_codes import ExitCode
    from workers.cli.output import info, show, write
    from workers.cli.watch import follow
    from workers.demo.run import DemoObserver, run_demo
    from workers.demo.summary import markdown, sentences, summary

    def notify(step: str) -> None:
        if verbose or not step.startswith(" "):
            info(step)

    _stop_on_sigterm()
    with BadLines("batch.jsonl", shown=MAX_SHOWN if verbose else 0) as bad:
        outcome = run_demo(
            home, requests, judged, DemoObserver(notify=notify, on_bad_line=bad.add, follow=follow)
        )
    if verbose:
        show(summary(outcome))
    else:
        write(sentences(outcome))
    outcome.files.report.write_text(markdown(outcome))
    return ExitCode.DONE if outcome.as_expected else ExitCode.SOME_FAILED


def _stop_on_sigterm() -> None:
    """Let SIGTERM end the demo as Ctrl-C does: with the stack stopped."""
    import signal

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
