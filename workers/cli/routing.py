"""`waybill route`: routing decisions in this process, without a server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from workers.cli.bad_lines import BadLines
from workers.cli.exit_codes import ExitCode
from workers.cli.input_files import noticed, readable
from workers.cli.input_options import InputChoices
from workers.cli.option_groups import with_options
from workers.cli.output import info, warn
from workers.cli.policy_options import POLICY_NAMES, BudgetPer1000, CostWeight, QualityFloor, parse_policy
from workers.cli.processes import split_names
from workers.cli.writing import STDOUT, open_output

if TYPE_CHECKING:
    from tasks.formats.requests import ParsedRequest
    from tasks.settings import Settings
    from tasks.submission.screening import Screen
    from tasks.submission.source import Item
    from workers.routers.local_router import LocalRouter

CHUNK = 256


@with_options(InputChoices)
def route(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE", help="Batch files, or labelled prompts: paths, globs, URLs; - is stdin."
        ),
    ],
    *,
    router: Annotated[Path, typer.Option(help="The router's directory.")],
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="PATH", help="Decisions as JSON Lines: a file or URL, or -."),
    ] = STDOUT,
    models: Annotated[
        str, typer.Option(metavar="A,B", help="Choose among these; default: all that the router knows.")
    ] = "",
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"{POLICY_NAMES}: saving weighs prices, quality does not, cargo is the paper's; "
            "default: [router] policy.",
        ),
    ] = None,
    tau: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="X",
            help="Ask the classifier below this gap; default: [router] tau, else the trained one.",
        ),
    ] = None,
    quality_floor: QualityFloor = None,
    cost_weight: CostWeight = None,
    budget_per_1000: BudgetPer1000 = None,
    reading: InputChoices,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say in each decision, in one line, why this model.")
    ] = False,
) -> None:
    """Choose a model for every prompt of the files and write the decisions; nothing is called or stored."""
    from tasks.submission.source import from_files

    settings = _settings(
        policy,
        tau=tau,
        quality_floor=quality_floor,
        cost_weight=cost_weight,
        budget_per_1000=budget_per_1000,
    )
    input_options = reading.checked(split_names(models))
    local = _router(settings, router, split_names(models))
    with (
        readable(files) as (inputs, source),
        closing(_screen(settings, local.models)) as screen,
        BadLines(source) as bad,
        open_output(output) as stream,
    ):
        items = from_files(
            inputs, settings, models=local.models, options=input_options, on_notice=noticed(source)
        )
        requests = _good_requests(screen.over(items), bad)
        count = sum(_write(stream, rows) for rows in _decisions(local, requests, explain=explain))
    if local.spending is not None and (warning := local.spending.warning()):
        warn([warning])
    info(f"{count} decisions by {local.name}")
    raise typer.Exit(ExitCode.SOME_FAILED if bad.count else ExitCode.DONE)


def _settings(policy: str | None, **numbers: float | None) -> Settings:
    """Return the settings, in whose [router] the options given replace the values."""
    from tasks.settings import load_settings

    settings = load_settings()
    router = settings.router.chosen(policy=parse_policy(policy), **numbers)
    return settings.model_copy(update={"router": router})


def _router(settings: Settings, path: Path, models: tuple[str, ...]) -> LocalRouter:
    from router_core.router import Router
    from tasks.submission.prices import refuse_unpriced
    from workers.routers.local_router import local_router, with_spending

    router = Router.load(path)
    local = local_router(settings, router, models or router.models)
    if not local.weighs_prices:
        if local.policy == "budget":
            refuse_unpriced(local.unpriced)
        info("no prices for these models in [[models]]: quality alone decides")
    return with_spending(local)


def _screen(settings: Settings, names: Sequence[str]) -> Screen:
    """Return the screen for these models; one that the settings do not know is assumed to be able."""
    from tasks.capabilities.capabilities import Capabilities
    from tasks.submission.screening import Screen

    known = {model.name: model.known_capabilities for model in settings.models}
    return Screen({name: known.get(name, Capabilities()) for name in names}, names)


def _good_requests(items: Iterable[Item], bad: BadLines) -> Iterator[ParsedRequest]:
    """Yield the good lines of a file, and report the bad ones."""
    from tasks.formats.requests import InputError

    for item in items:
        if isinstance(item, InputError):
            bad.add(item)
        else:
            yield item


def _decisions(
    router: LocalRouter, requests: Iterator[ParsedRequest], *, explain: bool
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of the decisions chunk by chunk, so that memory stays flat."""
    from tasks.money.expected_costs import lengths_of

    while chunk := list(islice(requests, CHUNK)):
        texts = [request.prompt for request in chunk]
        lengths = lengths_of(chunk)
        decisions = router.decide(texts, [request.left_out or () for request in chunk], lengths)
        rows = list(decisions.rows([request.custom_id for request in chunk]))
        if explain:
            lines = [one.line for one in router.explain(texts, decisions, lengths)]
            rows = [{**row, "explanation": line} for row, line in zip(rows, lines, strict=True)]
        yield [_of_request(row, request) for row, request in zip(rows, chunk, strict=True)]


def _of_request(row: dict[str, Any], request: ParsedRequest) -> dict[str, Any]:
    """Return the row with what its request says: the model that it names, and those that cannot answer."""
    row = _with_named_model(row, request.model)
    if not request.left_out:
        return row
    named = ", ".join(f"{name} ({reason})" for name, reason in request.left_out.items())
    explained = {"explanation": f"{row['explanation']}; left out: {named}"} if "explanation" in row else {}
    return {**row, "left_out": dict(request.left_out), **explained}


def _with_named_model(row: dict[str, Any], model: str | None) -> dict[str, Any]:
    """Return the row with the model that the request names, if it names one; the predictions stay."""
    if model is None:
        return row
    named = {**row, "model": model, "used_fallback": False, "reason": "named_model"}
    return named | ({"explanation": f"{model}: the request names it"} if "explanation" in row else {})


def _write(stream: TextIO, rows: list[dict[str, Any]]) -> int:
    stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return len(rows)
