"""`waybill explain`: why a request of a batch got its model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.batch_ids import BatchId
from workers.cli.output import info, write, write_json
from workers.cli.store_context import open_store

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from workers.routers.request_explanation import RequestExplanation


def explain(
    batch: BatchId,
    custom_id: Annotated[str, typer.Argument(metavar="CUSTOM_ID", help="The request's custom_id.")],
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="The router's labels: name the lines of the nearest prompts there."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say why a router chose the model of a request: it decides on that prompt again."""
    from dataclasses import asdict

    from tasks.store import batches
    from workers.routers.request_explanation import explained_request

    with open_store() as (settings, store):
        with store.read() as connection:
            batch_no = batches.find(connection, batches.full_id(connection, batch))["no"]
        found = explained_request(settings, store, batch_no, custom_id)
    lines = _lines(labels or [], found.explanation.neighbours)
    if json:
        write_json(
            {
                **asdict(found.explanation),
                "labels": found.labels,
                "router_version": found.router_version,
                "chosen_then": found.chosen_then,
                "neighbour_lines": lines,
            }
        )
        return
    write(found.explanation.line)
    for text in _notes(found, lines):
        info(text)


def _lines(files: Sequence[Path], ids: Collection[str]) -> dict[str, list[str]]:
    """Return the places of ids in labelled files."""
    from router_core.data.labelled_prompts import numbered_labelled

    places: dict[str, list[str]] = {name: [] for name in ids} if files else {}
    for file in files:
        for line, row in numbered_labelled(file, on_bad=lambda *_: None):
            if row.id in places:
                places[row.id].append(f"{file}, line {line}")
    return places


def _notes(found: RequestExplanation, lines: dict[str, list[str]]) -> list[str]:
    explanation = found.explanation
    notes = [f"router {found.router_version}; ids in {found.labels}"] if explanation.neighbours else []
    notes += [f"{name}: {'; '.join(places) or 'not in these files'}" for name, places in lines.items()]
    if found.chosen_then != explanation.model:
        then = "a batch also looks at its other prompts, its budget, exploration, and who can answer"
        notes.append(f"{found.chosen_then} was chosen then: {then}")
    return notes
