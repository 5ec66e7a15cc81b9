"""`waybill collect`: every candidate answers a sample of prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from workers.cli.amounts import above_0, budget_option
from workers.cli.bad_lines import BadLines
from workers.cli.batch_ids import full_id
from workers.cli.input_files import STDIN, noticed, readable
from workers.cli.input_options import InputChoices
from workers.cli.option_groups import with_options
from workers.cli.output import info, write, write_json
from workers.cli.processes import split_names
from workers.cli.store_context import open_store

if TYPE_CHECKING:
    from tasks.formats.locations.location import Location
    from tasks.learning.collection_plan import CategorisedPrompt, Collection
    from tasks.settings import Settings
    from tasks.store.engine import Store
    from tasks.submission.source import Item
    from workers.routers.prompt_annotation import SampleBy


@with_options(InputChoices)
def collect(
    source: Annotated[
        str,
        typer.Argument(
            metavar="BATCH|FILE",
            help="A submitted batch; or a batch file of any format: path, glob, URL or -.",
        ),
    ],
    *,
    share: Annotated[
        float,
        typer.Option(max=1, callback=above_0, metavar="X>0", help="The share of each category to sample."),
    ] = 0.05,
    models: Annotated[
        str, typer.Option(metavar="A,B", help="Who answers; default: all that prompts may be routed to.")
    ] = "",
    budget: Annotated[float | None, budget_option("Never spend more than this on the answers.")] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="random; uncertainty: sooner where the router hardly decides; novelty: far from its labels.",
        ),
    ] = "random",
    seed: Annotated[int, typer.Option(help="Another seed chooses other prompts.")] = 0,
    repeat: Annotated[
        int,
        typer.Option(
            min=1, max=100, metavar="N", help="Every model answers each prompt so often; the means count."
        ),
    ] = 1,
    reading: InputChoices,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sampled and bought; store nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Let every candidate answer a sample of prompts, for `judge`; what was paid for is not bought again."""
    from tasks.learning import collection, collection_plan
    from tasks.money.budgets import budget_of
    from tasks.submission.source import from_files
    from workers.cli.watch import follow_to_end

    options = reading.checked(split_names(models))
    with open_store() as (settings, store), _named(source, store) as (files, source):
        items = from_files(files, settings, options=options, on_notice=noticed(source)) if files else None
        prompts = _prompts(store, settings, source, items, by=_sample_by(by))
        planned = collection_plan.plan(
            store, settings, prompts, share=share, models=split_names(models), seed=seed, repeat=repeat
        )
        if dry_run:
            _show(planned.summary(), as_json=json)
            return
        cap = budget_of(settings.budget if budget is None else budget)
        collected = collection.collect(store, settings, planned, source=source, budget=cap)
        _show(collected, as_json=json)
        if wait:
            raise typer.Exit(follow_to_end(store, settings, str(collected.batch_id)))


def _sample_by(by: str) -> SampleBy:
    """Return what `--by` names; raises BadParameter for an unknown name."""
    from workers.routers.prompt_annotation import SampleBy

    if by not in get_args(SampleBy):
        raise typer.BadParameter("random, uncertainty or novelty", param_hint="--by")
    return cast("SampleBy", by)


@contextmanager
def _named(source: str, store: Store) -> Iterator[tuple[list[Location], str]]:
    """Return the files of this name, or none and the id of the batch, and what to call it."""
    from tasks.formats.locations.location import location_of

    location = location_of(source)
    is_file = source == STDIN or has_magic(source) or not isinstance(location, Path) or location.exists()
    if is_file:
        with readable([source]) as found:
            yield found
    else:
        yield [], full_id(store, source)


def _prompts(
    store: Store, settings: Settings, source: str, items: Iterable[Item] | None, *, by: SampleBy
) -> Iterable[CategorisedPrompt]:
    """Return the prompts of the lines of files, else those of the batch with this id."""
    from tasks.errors import UsageError
    from tasks.learning import collection
    from workers.routers.batch_router import current_router
    from workers.routers.prompt_annotation import annotate

    router = current_router(settings, store)
    if by != "random" and router is None:
        raise UsageError(f"--by {by} asks the router, and there is none yet: train one, or leave it out")
    if items is not None:
        return annotate(settings, router, _requests(items, source), by=by)
    prompts = collection.from_batch(store, source)
    # The prompts of a batch have the categories that it was routed with.
    return prompts if by == "random" else annotate(settings, router, prompts, by=by)


def _requests(items: Iterable[Item], source: str) -> Iterator[CategorisedPrompt]:
    """Yield the good lines of a file whose answers are texts, and report the bad ones."""
    from tasks.endpoints.registry import endpoint_of
    from tasks.formats.requests import InputError
    from tasks.learning.collection_plan import CategorisedPrompt

    with BadLines(source) as bad:
        for item in items:
            if isinstance(item, InputError):
                bad.add(item)
            elif endpoint_of(item.endpoint).answers_text:
                yield CategorisedPrompt(item)


def _show(collected: Collection, *, as_json: bool) -> None:
    from tasks.learning.call_costs import total
    from workers.views.call_costs import costs_lines, costs_text

    if as_json:
        write_json(asdict(collected))
    elif collected.batch_id is not None:
        write(collected.batch_id)
    categories = ", ".join(f"{name} {number}" for name, number in collected.categories.items())
    info(
        f"{collected.prompts} of {collected.considered} prompts ({categories}), "
        + (f"each answered {collected.repeat} times, " if collected.repeat > 1 else "")
        + f"{len(collected.models)} models: {collected.bought} answers are bought, "
        f"{collected.reused} were paid for before"
        + (f", {collected.skipped} are of models that cannot answer" if collected.skipped else "")
        + (f"; {costs_text(total(collected.costs))}" if collected.costs else "")
    )
    for line in costs_lines(collected.costs):
        info(f"  {line}")
