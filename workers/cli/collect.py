"""`waybill collect`: every candidate answers a sample of prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.bad_lines import BadLines
from workers.cli.output import info, write, write_json
from workers.cli.processes import split_names
from workers.cli.store_context import open_store

if TYPE_CHECKING:
    from tasks.learning.collection import CategorisedPrompt, Collection
    from tasks.settings import Settings
    from tasks.store.engine import Store
    from tasks.submission.source import Item


def collect(
    source: Annotated[
        str, typer.Argument(metavar="BATCH|FILE", help="A submitted batch, or a batch file of any format.")
    ],
    share: Annotated[
        float, typer.Option(min=0.000001, max=1, metavar="X", help="The share of each category to sample.")
    ] = 0.05,
    models: Annotated[
        str, typer.Option(metavar="A,B", help="Who answers; default: all that prompts may be routed to.")
    ] = "",
    budget: Annotated[
        float | None, typer.Option(min=0, metavar="USD", help="Never spend more than this on the answers.")
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="random|uncertainty", help="Uncertainty: sooner where the router hardly decides."
        ),
    ] = "random",
    seed: Annotated[int, typer.Option(help="Another seed chooses other prompts.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sampled and bought; store nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Let every candidate answer a sample of prompts, for `judge`; what was paid for is not bought again."""
    from router_core.pricing import micro_usd
    from tasks.learning import collection
    from workers.cli.watch import follow_to_end

    with open_store() as (settings, store):
        prompts = _prompts(store, settings, source, with_uncertainty=_by_uncertainty(by))
        planned = collection.plan(
            store, settings, prompts, share=share, models=split_names(models), seed=seed
        )
        if dry_run:
            _show(planned.summary(), as_json=json)
            return
        collected = collection.collect(store, settings, planned, source=source, budget=micro_usd(budget))
        _show(collected, as_json=json)
        if wait:
            raise typer.Exit(follow_to_end(store, str(collected.batch_id)))


def _by_uncertainty(by: str) -> bool:
    """Return whether `--by` names uncertainty; raises BadParameter for an unknown name."""
    if by not in ("random", "uncertainty"):
        raise typer.BadParameter("random or uncertainty", param_hint="--by")
    return by == "uncertainty"


def _prompts(
    store: Store, settings: Settings, source: str, *, with_uncertainty: bool
) -> Iterable[CategorisedPrompt]:
    """Return the prompts of the file of this name, else those of the batch with this id."""
    from tasks.errors import UsageError
    from tasks.learning import collection
    from tasks.submission.source import from_file
    from workers.routers.local_router import current_router
    from workers.routers.prompt_annotation import annotate

    router = current_router(settings, store)
    if with_uncertainty and router is None:
        raise UsageError(
            "--by uncertainty asks the router, and there is none yet: train one, or leave it out"
        )
    file = Path(source)
    if file.is_file():
        requests = _requests(from_file(file, settings), source)
        return annotate(settings, router, requests, with_uncertainty=with_uncertainty)
    prompts = collection.from_batch(store, source)
    # The prompts of a batch have the categories that it was routed with.
    return annotate(settings, router, prompts, with_uncertainty=True) if with_uncertainty else prompts


def _requests(items: Iterable[Item], source: str) -> Iterator[CategorisedPrompt]:
    """Yield the good lines of a file whose answers are texts, and report the bad ones."""
    from tasks.endpoints.registry import endpoint_of
    from tasks.formats.requests import InputError
    from tasks.learning.collection import CategorisedPrompt

    with BadLines(source) as bad:
        for item in items:
            if isinstance(item, InputError):
                bad.add(item)
            elif endpoint_of(item.endpoint).answers_text:
                yield CategorisedPrompt(item)


def _show(collected: Collection, *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        write_json(asdict(collected))
    elif collected.batch_id is not None:
        write(collected.batch_id)
    categories = ", ".join(f"{name} {number}" for name, number in collected.categories.items())
    info(
        f"{collected.prompts} of {collected.considered} prompts ({categories}), "
        f"{len(collected.models)} models: {collected.bought} answers are bought, "
        f"{collected.reused} were paid for before"
        + (f", {collected.skipped} are of models that cannot answer" if collected.skipped else "")
    )
