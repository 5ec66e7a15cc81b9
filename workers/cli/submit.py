"""`waybill submit`: submission of a file as a batch, or an estimate of its cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from workers.cli.amounts import budget_option
from workers.cli.bad_lines import BadLines
from workers.cli.batch_ids import full_id
from workers.cli.exit_codes import ExitCode
from workers.cli.input_files import noticed, read_so_far, readable
from workers.cli.input_options import InputChoices
from workers.cli.option_groups import with_options
from workers.cli.output import info, write, write_json
from workers.cli.policy_options import POLICY_NAMES, BudgetPer1000, CostWeight, QualityFloor, parse_policy
from workers.cli.processes import split_names
from workers.cli.repeat_options import DedupeName, NoDedupe, Reuse, ReuseAny, parse_dedupe, repeats_text
from workers.cli.store_context import nobody_works, open_store
from workers.cli.validation_options import Validate, Validators
from workers.views.parameters import dropped_texts

if TYPE_CHECKING:
    from tasks.formats.requests import InputError
    from tasks.settings import Settings
    from tasks.store.batch_options import BatchOptions
    from tasks.store.engine import Store
    from tasks.submission.batch_writer import SubmissionProgress
    from tasks.submission.source import Item

#: options that the command spells otherwise than the Python API
_SPELT: Final = {"validators": "validator", "fallback": "no-fallback"}


@with_options(InputChoices)
def submit(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="JSONL (OpenAI Batch or plain), JSON, CSV, TSV, Parquet, Arrow or text: paths, globs, URLs; "
            "- is stdin.",
        ),
    ],
    *,
    name: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What `status` and the page call the batch.")
    ] = None,
    models: Annotated[str, typer.Option(metavar="A,B", help="Choose among these models only.")] = "",
    budget: Annotated[float | None, budget_option("Never spend more than this on the batch.")] = None,
    route_only: Annotated[bool, typer.Option("--route-only", help="Decide, and call no model.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print counts, routing mix and estimated cost; store nothing.")
    ] = False,
    dedupe: DedupeName = None,
    no_dedupe: NoDedupe = False,
    reuse: Reuse = None,
    reuse_any: ReuseAny = False,
    fallback: Annotated[
        bool,
        typer.Option("--fallback/--no-fallback", help="No other model answers where the chosen one cannot."),
    ] = True,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse the file if a line is bad.")] = False,
    max_bad: Annotated[
        int, typer.Option(min=0, metavar="N", help="With more bad lines, stop and cancel the batch.")
    ] = 10_000,
    strict_params: Annotated[
        bool,
        typer.Option(
            "--strict-params", help="Send a request only to models that take all of its parameters."
        ),
    ] = False,
    quality_floor: QualityFloor = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"{POLICY_NAMES}; default: that of [router]."),
    ] = None,
    cost_weight: CostWeight = None,
    budget_per_1000: BudgetPer1000 = None,
    reading: InputChoices,
    explore: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="X", help="Draw the model of this share, and let all others answer it too."
        ),
    ] = 0.0,
    validate: Validate = None,
    validator: Validators = None,
    priority: Annotated[
        str,
        typer.Option(
            metavar="CLASS", help="Its share beside other batches: low, normal or high (1, 4 or 16 parts)."
        ),
    ] = "normal",
    resume: Annotated[
        str | None, typer.Option(metavar="BATCH", help="Go on with a submission that broke off.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the batch to its end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Submit a batch and print its id; bad lines are reported, and the others go on."""
    from tasks.submission.options import options_for
    from tasks.submission.resumption import own_options, own_reading
    from tasks.submission.source import from_files, with_bad_at_most
    from workers.arguments import refuse_beside_resume
    from workers.cli.watch import follow_to_end

    input_options = reading.checked(split_names(models))
    with open_store() as (settings, store), readable(files) as (inputs, source):
        choices: dict[str, Any] = {
            "name": name,
            "models": split_names(models),
            "route_only": route_only,
            "dedupe": parse_dedupe(dedupe, no_dedupe),
            "reuse": reuse,
            "reuse_any": reuse_any,
            "policy": parse_policy(policy),
            "fallback": fallback,
            "quality_floor": quality_floor,
            "cost_weight": cost_weight,
            "budget_per_1000": budget_per_1000,
            "explore": explore,
            "validate": validate,
            "validators": validator or (),
            "strict_params": strict_params,
            "priority": priority,
        }
        if resume is not None:
            refuse_beside_resume({**choices, "budget": budget}, _SPELT)
            resume = full_id(store, resume)
            input_options = own_reading(store, resume, input_options)
        options = options_for(settings, **choices) if resume is None else own_options(store, resume)
        items = from_files(
            inputs, settings, options=input_options, on_notice=noticed(source), on_lines=read_so_far(source)
        )
        items = with_bad_at_most(items, source, max_bad)
        if dry_run:
            with BadLines(source) as bad:
                _print_estimate(items, settings, store, options, source, on_error=bad.add, as_json=json)
            raise typer.Exit(ExitCode.ERROR if strict and bad.count else ExitCode.DONE)
        budget = settings.budget if budget is None and not route_only else budget
        batch_id = _submit(store, items, source, options, budget, strict=strict, resume=resume)
        write_json({"batch_id": batch_id}) if json else write(batch_id)
        if settings.redis.url is None and (text := nobody_works(store)):
            info(text)
        if wait:
            raise typer.Exit(follow_to_end(store, settings, batch_id))


def _submit(
    store: Store,
    items: Iterable[Item],
    source: str,
    options: BatchOptions,
    budget: float | None,
    *,
    strict: bool,
    resume: str | None,
) -> str:
    from tasks.money.budgets import budget_of
    from tasks.processes import process_name
    from tasks.submission import submit
    from tasks.tracing import start_tracing

    start_tracing(process_name())
    state: SubmissionProgress | None = None
    dropped: dict[str, dict[str, int]] = {}

    def progressed(new: SubmissionProgress) -> None:
        nonlocal state
        state = new

    with BadLines(source) as bad, _told_if_interrupted():
        batch_id = submit.submit(
            store,
            items,
            source=source,
            options=options,
            budget=budget_of(budget),
            strict=strict,
            resume=resume,
            on_error=bad.add,
            on_progress=progressed,
            on_dropped=dropped.update,
        )
    for text in (repeats_text(state), *dropped_texts(dropped)):
        if text:
            info(text)
    return batch_id


@contextmanager
def _told_if_interrupted() -> Iterator[None]:
    """Say which batch an interrupted submission leaves, and what can be done with it."""
    try:
        yield
    except BaseException as error:
        if batch_id := getattr(error, "batch_id", None):
            info(
                f"{batch_id} was not sent whole: `waybill submit --resume {batch_id}` with the same files, "
                "read in the same way, sends the rest, "
                f"`waybill resume {batch_id}` goes on without it, `waybill cancel {batch_id}` ends it"
            )
        raise


def _print_estimate(
    items: Iterable[Item],
    settings: Settings,
    store: Store,
    options: BatchOptions,
    source: str,
    *,
    on_error: Callable[[InputError], None],
    as_json: bool,
) -> None:
    from tasks.submission.source_name import shown
    from workers.backends.refusal import refuse
    from workers.cli.output import show
    from workers.estimates import estimated
    from workers.views.estimate import estimate_table

    found = estimated(items, settings, store, options, on_error=on_error)
    first, bad = next(iter(found.bad_lines), None), sum(found.invalid.values())
    refuse(shown(source), bad, first, is_empty=not found.requests, strict=False)
    write_json(found.to_dict()) if as_json else show(estimate_table(found))
