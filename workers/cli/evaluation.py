"""`waybill evaluate`."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.batch_ids import full_ids
from workers.cli.labelled_rows import MaxBadRows, rows_of
from workers.cli.output import info, show, warn, write, write_json
from workers.cli.policy_options import BudgetPer1000, CostWeight, QualityFloor
from workers.cli.store_context import open_store
from workers.cli.training import with_error

if TYPE_CHECKING:
    from router_core.evaluation import Evaluation
    from router_core.evaluation.off_policy import OffPolicyEstimate


def evaluate(
    router: Annotated[Path, typer.Option(help="The router's directory.")],
    labelled: Annotated[
        Path | None, typer.Argument(help="Labelled prompts that it was not trained on.")
    ] = None,
    logged: Annotated[
        bool,
        typer.Option("--logged", help="Estimate from judged answers of batches routed with --explore."),
    ] = False,
    batch: Annotated[
        list[str] | None, typer.Option(metavar="BATCH", help="With --logged: of these batches only.")
    ] = None,
    max_bad: MaxBadRows = 0,
    quality_floor: QualityFloor = None,
    cost_weight: CostWeight = None,
    budget_per_1000: BudgetPer1000 = None,
    include_training: Annotated[
        bool,
        typer.Option(
            "--include-training", help="Keep prompts that the router has learnt from; the result is flagged."
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write report.html, the plots as PNG, evaluation.json and evaluation.md here."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare a router with the best single model, random, kNN and the oracle on prompts new to it."""
    from router_core.evaluation.evaluated_policies import PolicyNumbers
    from router_core.router import Router
    from tasks.errors import UsageError
    from tasks.settings import load_settings
    from workers.routers.training import evaluate_router
    from workers.views.evaluation import evaluation_view

    if logged == (labelled is not None) or (batch and not logged):
        raise UsageError("name labelled prompts, or else --logged (and with it --batch)")
    if labelled is None:
        _evaluate_logged(router, batch or [], as_json=json)
        return
    settings = load_settings()
    chosen = settings.router.with_overrides(
        quality_floor=quality_floor, cost_weight=cost_weight, budget_per_1000=budget_per_1000
    )
    rows, checks = rows_of([labelled], max_bad)
    loaded = Router.load(router)
    warn(checks.warnings(known=loaded.models, score_range=loaded.hyperparameters.score_range))
    evaluation = evaluate_router(
        settings,
        rows,
        loaded,
        numbers=PolicyNumbers(
            quality_floor=chosen.quality_floor,
            cost_weight=chosen.cost_weight,
            budget=chosen.budget_per_1000 if chosen.policy == "budget" else None,
        ),
        include_training=include_training,
        notify=info,
    )
    for note in evaluation.data.notes():
        info(note)
    if json:
        write_json(evaluation.to_dict())
    else:
        show(evaluation_view(evaluation, chosen.policy), highlight=False)
    if report is not None:
        _write_report(evaluation, report)
        page = report / "report.html"
        info(f"the report is in {report}; a browser opens {page.resolve().as_uri()}")


def _evaluate_logged(router: Path, batch_ids: list[str], *, as_json: bool) -> None:
    from router_core.router import Router
    from workers.routers.off_policy import estimate_logged

    with open_store() as (settings, store):
        estimated = estimate_logged(
            store, settings, Router.load(router), info, batch_ids=full_ids(store, batch_ids)
        )
    write_json(estimated.to_dict()) if as_json else write(_logged_table(estimated))


def _logged_table(estimated: OffPolicyEstimate) -> str:
    estimators = ("inverse_propensity", "self_normalised", "doubly_robust")
    rows = [f"| {name.replace('_', ' ')} | {with_error(getattr(estimated, name))} |" for name in estimators]
    counts = (
        f"{estimated.requests} logged requests with judged answers; in {estimated.matched} the router "
        f"chooses what was chosen then (worth {estimated.effective_sample_size:.0f} requests)"
    )
    return "\n".join(["| estimate | mean score |", "|---|---|", *rows, "", counts])


def _write_report(evaluation: Evaluation, directory: Path) -> None:
    """Write the evaluation as JSON, Markdown, plots and an HTML page into a directory, which may exist."""
    from router_core.evaluation.tables import markdown
    from router_core.reports.page import page
    from router_core.reports.plots import plots

    pictures = plots(evaluation)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "evaluation.json").write_text(json_text.dumps(evaluation.to_dict(), indent=1) + "\n")
    (directory / "evaluation.md").write_text(markdown(evaluation) + "\n")
    (directory / "report.html").write_text(page(evaluation, pictures), encoding="utf-8")
    for name, png in pictures.items():
        (directory / f"{name}.png").write_bytes(png)
