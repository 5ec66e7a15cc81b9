"""`waybill results`: the outcomes of a batch as a file."""

from __future__ import annotations

import sys
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.batch_ids import full_id
from workers.cli.exit_codes import ExitCode
from workers.cli.output import info
from workers.cli.store_context import open_store

if TYPE_CHECKING:
    from tasks.formats.writing import ResultFormat


def results(
    batch: Annotated[
        str | None, typer.Argument(help="The batch id, how it begins, or its name; without it, the newest.")
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="PATH", help="A file or URL, or - for stdout.")
    ] = "-",
    format: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="openai, jsonl, csv or parquet; default: by -o, else openai."),
    ] = None,
    errors: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Write failures to this file or URL; without it they stand among the answers.",
        ),
    ] = None,
) -> None:
    """Write what is known of a batch: a line for each request that has ended, and for each bad line."""
    from tasks.formats.locations.location import location_of
    from tasks.formats.writing import write_results
    from tasks.store import progress, results

    result_format = _format(format or _format_of(output))
    if errors is not None and _format_of(errors) in ("csv", "parquet"):
        raise typer.BadParameter("failures are JSON Lines: name the file .jsonl", param_hint="--errors")
    with open_store() as (_, store):
        wanted = None if batch is None else full_id(store, batch)
        with store.read() as connection:
            state = progress.snapshot(connection, wanted)
        if batch is None:
            info(f"the newest batch: {state.batch_id}{f' ({state.name})' if state.name else ''}")
        counts = write_results(
            results.iter_results(store, state.batch_id),
            sys.stdout if output == "-" else location_of(output),
            format=result_format,
            errors=None if errors is None else location_of(errors),
        )
    open_requests = state.total - state.done
    info(f"{counts.written} results, {counts.failed} of them failures" + _open_text(open_requests))
    raise typer.Exit(ExitCode.DONE)


def _format(name: str) -> ResultFormat:
    from tasks.formats.writing import ResultFormat

    try:
        return ResultFormat(name)
    except ValueError:
        known = ", ".join(ResultFormat)
        raise typer.BadParameter(f"{name!r} is none of {known}", param_hint="--format") from None


def _format_of(output: str) -> str:
    from router_core.compression import without_suffix
    from tasks.formats.locations.location import location_of

    name = without_suffix(PurePath(location_of(output).name))
    return {".csv": "csv", ".parquet": "parquet"}.get(name.suffix, "openai")


def _open_text(open_requests: int) -> str:
    return f"; {open_requests} requests have not ended yet" if open_requests else ""
