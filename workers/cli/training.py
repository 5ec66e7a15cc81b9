"""`waybill train` and `waybill evaluate`."""

from __future__ import annotations

import json as json_text
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.bad_lines import BadLines
from workers.cli.batch_ids import full_ids
from workers.cli.output import info, show, warn, write, write_json
from workers.cli.store_context import open_store
from workers.cli.validation_options import Checks

if TYPE_CHECKING:
    from router_core.data.label_checks.checks import LabelChecks
    from router_core.data.labelled_prompts import LabelledPrompt
    from router_core.evaluation import Evaluation
    from router_core.evaluation.off_policy import OffPolicyComparison, OffPolicyEstimate, RewardEstimate
    from router_core.router import Router
    from workers.routers.retraining import LabelWeighting, RetrainResult

MaxBadRows = Annotated[
    int, typer.Option(min=0, metavar="N", help="Go on without bad rows if there are no more than these.")
]


def train(
    output: Annotated[Path, typer.Option("--output", "-o", help="The router's directory.")],
    labelled: Annotated[
        list[Path] | None, typer.Argument(metavar="LABELLED…", help="Labelled prompts, JSONL, gzip allowed.")
    ] = None,
    from_store: Annotated[
        bool,
        typer.Option("--from-store", help="Train on the store's labels, and compare with the champion."),
    ] = False,
    window: Annotated[
        float | None, typer.Option(min=0, metavar="DAYS", help="From the store: leave out older labels.")
    ] = None,
    half_life: Annotated[
        float | None,
        typer.Option(min=0.01, metavar="DAYS", help="From the store: older labels count half as much."),
    ] = None,
    checks: Checks = False,
    embedder: Annotated[
        str | None, typer.Option(metavar="MODEL", help="static, hub id or folder; default: [embedder] model.")
    ] = None,
    max_bad: MaxBadRows = 0,
    seed: Annotated[int, typer.Option(help="The same rows and seed give the same router.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train a router on labelled prompts and save it; one from the store is put there for `promote`."""
    from tasks.errors import UsageError
    from tasks.settings import load_settings
    from workers.routers.retraining import LabelWeighting
    from workers.routers.training import train_router
    from workers.views.training import training_lines

    if from_store == bool(labelled):
        raise UsageError("name labelled prompts, or else --from-store")
    settings, compared = load_settings(), dict[str, object]()
    if from_store:
        weighting = LabelWeighting(window=window, half_life=half_life, checks=checks)
        router, compared = _from_store(output, weighting, embedder, seed)
    else:
        rows, taken_in = _rows(labelled or [], max_bad)
        warn(taken_in.warnings(known=[model.name for model in settings.models]))
        router = train_router(settings, rows, output, embedder=embedder, seed=seed, notify=info)
    if json:
        models = list(router.models)
        write_json({"router": str(output), "version": router.version, "models": models, **compared})
    else:
        write(str(output))
    configured = [model.name for model in settings.models]
    for line in training_lines(
        router, settings.router.policy, output, is_stored=from_store, configured=configured
    ):
        info(line)


def _rows(files: list[Path], max_bad: int) -> tuple[list[LabelledPrompt], LabelChecks]:
    """Return the rows of labelled files, and the checks that took them in; bad rows are reported."""
    from router_core.data.label_checks.checks import LabelChecks
    from workers.routers.labelled_files import read_rows

    with ExitStack() as reports:
        of_file = {file: reports.enter_context(BadLines(str(file))) for file in files}
        checks = LabelChecks()
        rows = read_rows(
            files, max_bad=max_bad, on_bad=lambda file, error: of_file[file].add(error), checks=checks
        )
        return rows, checks


def _from_store(
    output: Path, weighting: LabelWeighting, embedder: str | None, seed: int
) -> tuple[Router, dict[str, object]]:
    """Train on the store's labels and print the comparisons; return the router and them, for JSON."""
    from workers.routers.retraining import retrain

    with open_store() as (settings, store):
        result = retrain(
            store, settings, output, weighting=weighting, embedder=embedder, seed=seed, notify=info
        )
    _print_comparison(result)
    _print_off_policy(result)
    skipped = {"skipped": result.off_policy_skipped}
    return result.router, {
        "champion": result.champion,
        "held_out": result.held_out,
        "comparison": result.comparison.to_dict() if result.comparison else None,
        "off_policy": result.off_policy.to_dict() if result.off_policy else skipped,
    }


def _print_comparison(result: RetrainResult) -> None:
    comparison = result.comparison
    if comparison is None:
        info("not compared: no prompt is held out that the champion does not know")
        return
    gain = f"{comparison.overall.gain:+.4f} ± {comparison.overall.standard_error:.4f}"
    other = f"champion {result.champion}" if result.champion else f"always {result.router.best_single}"
    info(f"against {other}: {gain} on {comparison.overall.prompts} held-out prompts")
    for name, one in comparison.by_category.items():
        info(f"  {name}: {one.gain:+.4f} ± {one.standard_error:.4f} on {one.prompts}")


def _print_off_policy(result: RetrainResult) -> None:
    comparison = result.off_policy
    if comparison is None:
        info(f"not compared on logged batches: {result.off_policy_skipped}")
        return
    requests, sizes = comparison.challenger.requests, _effective_sizes(comparison)
    info(f"on {requests} logged requests with judged answers (worth {sizes}):")
    for estimator in ("inverse_propensity", "doubly_robust"):
        champion = _with_error(getattr(comparison.champion, estimator))
        challenger = _with_error(getattr(comparison.challenger, estimator))
        gain = _with_error(getattr(comparison, f"gain_{estimator}"), sign="+")
        name = estimator.replace("_", " ")
        info(f"  {name}: challenger {challenger}, champion {champion}, gain {gain}")


def _effective_sizes(comparison: OffPolicyComparison) -> str:
    champion, challenger = comparison.champion, comparison.challenger
    return (
        f"{champion.effective_sample_size:.0f} of the champion's choices, "
        f"{challenger.effective_sample_size:.0f} of the challenger's"
    )


def _with_error(estimate: RewardEstimate, *, sign: str = "") -> str:
    return f"{estimate.value:{sign}.4f} ± {estimate.standard_error:.4f}"


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
    quality_floor: Annotated[
        float, typer.Option(min=0, metavar="X", help="How much predicted quality a saving may cost.")
    ] = 0.0,
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
    rows, checks = _rows([labelled], max_bad)
    loaded = Router.load(router)
    warn(checks.warnings(known=loaded.models, score_range=loaded.hyperparameters.score_range))
    evaluation = evaluate_router(
        settings,
        rows,
        loaded,
        quality_floor=quality_floor,
        include_training=include_training,
        notify=info,
    )
    for note in evaluation.data.notes():
        info(note)
    if json:
        write_json(evaluation.to_dict())
    else:
        show(evaluation_view(evaluation, settings.router.policy), highlight=False)
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
    rows = [f"| {name.replace('_', ' ')} | {_with_error(getattr(estimated, name))} |" for name in estimators]
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
