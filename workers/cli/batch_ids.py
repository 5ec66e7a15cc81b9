"""Batch ids on the command line: a unique beginning, or the name of the batch, is enough."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tasks.store.engine import Store

BatchId = Annotated[str, typer.Argument(help="The batch id, how it begins, or its name.")]


def full_id(store: Store, text: str) -> str:
    """Return the id that begins or whose batch is named so; raises UnknownBatch, UsageError for several."""
    from tasks.store import batches

    with store.read() as connection:
        return batches.full_id(connection, text)


def full_ids(store: Store, texts: Iterable[str] | None) -> list[str]:
    """Return the id that each of these texts means."""
    return [full_id(store, text) for text in texts or ()]
