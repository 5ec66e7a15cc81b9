"""`waybill train` and `waybill evaluate`."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.output import info, write, write_json
from workers.cli.store_context import open_store

if TYPE_CHECKING:
    from router_core.evaluation import Evaluation
    from router_core.evaluation.off_policy import Estimate, OffPolicyComparison, OffPolicyEstimate
    from router_core.router import Router
    from workers.routers.retraining import RetrainResult


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
    embedder: Annotated[
        str | None, typer.Option(metavar="MODEL", help="static, hub id or folder; default: [embedder] model.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same rows and seed give the same router.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train a router on labelled prompts and save it; one from the store is put there for `promote`."""
    from tasks.errors import UsageError
    from tasks.settings import load_settings
    from workers.routers.training import train_router

    if from_store == bool(labelled):
        raise UsageError("name labelled prompts, or else --from-store")
    compared: dict[str, object] = {}
    if from_store:
        router, compared = _from_store(output, window, half_life, embedder, seed)
    else:
        router = train_router(
            load_settings(), labelled or [], output, embedder=embedder, seed=seed, notify=info
        )
    if json:
        models = list(router.models)
        write_json({"router": str(output), "version": router.version, "models": models, **compared})
    else:
        write(str(output))
    held = router.hyperparameters.margins["quality"] is None
    kept = f"; no deviation paid on inner folds: it stays with {router.best_single}" if held else ""
    info(f"router {router.version}: {len(router.models)} models, {router.training['rows']} prompts{kept}")


def _from_store(
    output: Path, window: float | None, half_life: float | None, embedder: str | None, seed: int
) -> tuple[Router, dict[str, object]]:
    from workers.routers.retraining import LabelWeighting, retrain

    with open_store() as (settings, store):
        age = LabelWeighting(window=window, half_life=half_life)
        done = retrain(store, settings, output, weighting=age, embedder=embedder, seed=seed, notify=info)
    found = done.comparison
    if found is None:
        why = "none of its new prompts is held out" if done.champion else "there is no champion yet"
        info(f"not compared: {why}")
    else:
        gain = f"{found.overall.gain:+.4f} ± {found.overall.standard_error:.4f}"
        info(f"against champion {done.champion}: {gain} on {found.overall.prompts} held-out prompts")
        for name, one in found.by_category.items():
            info(f"  {name}: {one.gain:+.4f} ± {one.standard_error:.4f} on {one.prompts}")
    _print_off_policy(done)
    return done.router, {
        "champion": done.champion,
        "held_out": done.held_out,
        "comparison": found.to_dict() if found else None,
        "off_policy": done.off_policy.to_dict() if done.off_policy else {"skipped": done.off_policy_skipped},
    }


def _print_off_policy(done: RetrainResult) -> None:
    found = done.off_policy
    if found is None:
        info(f"not compared on logged batches: {done.off_policy_skipped}")
        return
    info(
        f"on {found.challenger.requests} logged requests with judged answers (worth {_effective_sizes(found)}):"
    )
    ways = (("inverse propensity", "inverse_propensity"), ("doubly robust", "doubly_robust"))
    for name, way in ways:
        theirs, mine = (_with_error(getattr(one, way)) for one in (found.champion, found.challenger))
        gain = _with_error(getattr(found, f"gain_{way}"), sign="+")
        info(f"  {name}: challenger {mine}, champion {theirs}, gain {gain}")


def _effective_sizes(found: OffPolicyComparison) -> str:
    theirs, mine = found.champion.effective_sample_size, found.challenger.effective_sample_size
    return f"{theirs:.0f} of the champion's choices, {mine:.0f} of the challenger's"


def _with_error(one: Estimate, *, sign: str = "") -> str:
    return f"{one.value:{sign}.4f} ± {one.standard_error:.4f}"


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
    from router_core.evaluation.tables import markdown
    from tasks.errors import UsageError
    from tasks.settings import load_settings
    from workers.routers.training import evaluate_router

    if logged == (labelled is not None) or (batch and not logged):
        raise UsageError("name labelled prompts, or else --logged (and with it --batch)")
    if labelled is None:
        _evaluate_logged(router, batch or [], as_json=json)
        return
    found = evaluate_router(
        load_settings(),
        labelled,
        router,
        quality_floor=quality_floor,
        include_training=include_training,
        notify=info,
    )
    for note in found.data.notes():
        info(note)
    if report is not None:
        _write_report(found, report)
    write_json(found.to_dict()) if json else write(markdown(found))


def _evaluate_logged(router: Path, batch_ids: list[str], *, as_json: bool) -> None:
    from router_core.router import Router
    from workers.routers.off_policy import estimate_logged

    with open_store() as (settings, store):
        found = estimate_logged(store, settings, Router.load(router), info, batch_ids=batch_ids)
    write_json(found.to_dict()) if as_json else write(_logged_table(found))


def _logged_table(found: OffPolicyEstimate) -> str:
    ways = ("inverse_propensity", "self_normalised", "doubly_robust")
    rows = [f"| {way.replace('_', ' ')} | {_with_error(getattr(found, way))} |" for way in ways]
    counts = (
        f"{found.requests} logged requests with judged answers; in {found.matched} the router chooses what "
        f"was chosen then (worth {found.effective_sample_size:.0f} requests)"
    )
    return "\n".join(["| estimate | mean score |", "|---|---|", *rows, "", counts])


def _write_report(found: Evaluation, directory: Path) -> None:
    """Write figures, table, plots and the page into a directory, which may exist."""
    from router_core.evaluation.tables import markdown
    from router_core.reports.page import page
    from router_core.reports.plots import plots

    pictures = plots(found)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "evaluation.json").write_text(json_text.dumps(found.to_dict(), indent=1) + "\n")
    (directory / "evaluation.md").write_text(markdown(found) + "\n")
    (directory / "report.html").write_text(page(found, pictures), encoding="utf-8")
    for name, png in pictures.items():
        (directory / f"{name}.png").write_bytes(png)
