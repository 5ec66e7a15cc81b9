"""`waybill results`: the outcomes of a batch as a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from workers.cli.exit_codes import ExitCode
from workers.cli.input_options import choice
from workers.cli.output import info
from workers.cli.store_context import open_store
from workers.cli.writing import STDOUT


def results(
    batch: Annotated[str, typer.Argument(help="The batch id.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A file, or - for stdout.")] = STDOUT,
    format: Annotated[
        str | None, typer.Option(metavar="openai|jsonl|csv|parquet", help="Default: by -o, else openai.")
    ] = None,
    errors: Annotated[
        Path | None, typer.Option(help="Put failures here; without it they stand among the answers.")
    ] = None,
) -> None:
    """Write what is known of a batch: a line for each request that has ended, and for each bad line."""
    from tasks.formats.writing import ResultFormat, write_results
    from tasks.store import progress, results

    result_format = choice(format or _format_of(output), ResultFormat, "--format")
    assert result_format is not None
    with open_store() as (_, store):
        with store.read() as connection:
            state = progress.snapshot(connection, batch)
        target = sys.stdout if output == STDOUT else output
        counts = write_results(
            results.iter_results(store, batch), target, format=result_format, errors=errors
        )
    open_requests = state.total - state.done
    info(f"{counts.written} results, {counts.failed} of them failures" + _open_text(open_requests))
    raise typer.Exit(ExitCode.DONE)


def _format_of(output: Path) -> str:
    return {".csv": "csv", ".parquet": "parquet"}.get(output.suffix, "openai")


def _open_text(open_requests: int) -> str:
    return f"; {open_requests} requests have not ended yet" if open_requests else ""
