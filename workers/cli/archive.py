"""`waybill archive`: old batches as Parquet files, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workers.cli.batch_ids import full_id
from workers.cli.output import info
from workers.cli.store_context import open_store


def archive(
    batch: Annotated[str | None, typer.Argument(help="The batch id, how it begins, or its name.")] = None,
    to: Annotated[
        Path | None, typer.Option(help="Where the folder of the archive is made; `archive` in home.")
    ] = None,
    restore: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Put the requests of an archive back.")
    ] = None,
) -> None:
    """Move the requests and answers of a finished batch to Parquet files; its counts and costs stay."""
    from tasks.archiving.archive import archive_batch, restore_batch
    from tasks.errors import UsageError

    if (batch is None) == (restore is None) or (restore and to):
        raise UsageError("name a batch, or --restore and the folder of its archive")
    with open_store() as (settings, store):
        if restore is not None:
            info(f"{restore_batch(store, restore)}: its requests are back")
        elif batch is not None:
            batch = full_id(store, batch)
            folder = archive_batch(store, batch, to or settings.home / "archive")
            info(f"{batch}: archived in {folder}; `waybill archive --restore {folder}` brings it back")
