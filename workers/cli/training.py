"""`waybill train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.exit_codes import ExitCode
from workers.cli.labelled_rows import MaxBadRows, check_rows, rows_of
from workers.cli.output import info, warn, write, write_json
from workers.cli.store_context import open_store
from workers.cli.validation_options import Checks

if TYPE_CHECKING:
    from router_core.evaluation.off_policy import OffPolicyComparison, RewardEstimate
    from router_core.router import Router
    from tasks.settings import Settings
    from workers.routers.retraining import LabelWeighting, RetrainResult


def train(
    labelled: Annotated[
        list[Path] | None, typer.Argument(metavar="LABELLED", help="Labelled prompts, JSONL, gzip allowed.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The router's directory.")] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Check the labelled files, train nothing: status 1 if something is wrong."
        ),
    ] = False,
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
    seed: Annotated[int, typer.Option(metavar="N", help="The same rows and seed give the same router.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train a router on labelled prompts and save it; one from the store is put there for `promote`."""
    from tasks.errors import UsageError
    from tasks.settings import load_settings
    from workers.routers.retraining import LabelWeighting
    from workers.routers.training import train_router
    from workers.views.training import training_lines

    if from_store == bool(labelled) or (check and from_store):
        raise UsageError("name labelled prompts, or else --from-store")
    settings, compared = load_settings(), dict[str, object]()
    if check:
        raise typer.Exit(_check(labelled or [], settings))
    if output is None:
        raise typer.BadParameter("name the router's directory", param_hint="-o")
    if from_store:
        weighting = LabelWeighting(window=window, half_life=half_life, checks=checks)
        router, compared = _from_store(output, weighting, embedder, seed)
    else:
        rows, taken_in = rows_of(labelled or [], max_bad)
        warn(taken_in.warnings(known=[model.name for model in settings.models]))
        router = train_router(settings, rows, output, embedder=embedder, seed=seed, notify=info)
    if json:
        models = list(router.models)
        write_json({"router": str(output), "version": router.version, "models": models, **compared})
    else:
        write(str(output))
    configured = [model.name for model in settings.models]
    for line in training_lines(
        router,
        settings.router.policy,
        output,
        is_stored=from_store,
        configured=configured,
        is_compared=compared.get("comparison") is not None,
    ):
        info(line)


def _check(files: list[Path], settings: Settings) -> ExitCode:
    """Report what is wrong in labelled files; return the status."""
    found = check_rows(files, [model.name for model in settings.models])
    return ExitCode.ERROR if found else ExitCode.DONE


def _from_store(
    output: Path, weighting: LabelWeighting, embedder: str | None, seed: int
) -> tuple[Router, dict[str, object]]:
    """Train on the store's labels and print the comparisons; return the router and them, for JSON."""
    from workers.routers.retraining import retrain

    with open_store() as (settings, store):
        result = retrain(
            store, settings, output, weighting=weighting, embedder=embedder, seed=seed, notify=info
        )
    _print_comparison(result, settings.router.policy)
    _print_off_policy(result)
    skipped = {"skipped": result.off_policy_skipped}
    return result.router, {
        "champion": result.champion,
        "held_out": result.held_out,
        "comparison": result.comparison.to_dict() if result.comparison else None,
        "off_policy": result.off_policy.to_dict() if result.off_policy else skipped,
    }


def _print_comparison(result: RetrainResult, policy: str) -> None:
    from workers.views.training import comparison_lines

    comparison = result.comparison
    if comparison is None:
        info("not compared: no prompt is held out that the champion does not know")
        return
    for line in comparison_lines(
        comparison,
        f"champion {result.champion}" if result.champion else f"always {result.router.best_single}",
        policy,
        held_out=result.held_out,
        known=result.known,
    ):
        info(line)


def _print_off_policy(result: RetrainResult) -> None:
    comparison = result.off_policy
    if comparison is None:
        info(f"not compared on logged batches: {result.off_policy_skipped}")
        return
    requests, sizes = comparison.challenger.requests, _effective_sizes(comparison)
    info(f"on {requests} logged requests with judged answers (worth {sizes}):")
    for estimator in ("inverse_propensity", "doubly_robust"):
        champion = with_error(getattr(comparison.champion, estimator))
        challenger = with_error(getattr(comparison.challenger, estimator))
        gain = with_error(getattr(comparison, f"gain_{estimator}"), sign="+")
        name = estimator.replace("_", " ")
        info(f"  {name}: challenger {challenger}, champion {champion}, gain {gain}")


def _effective_sizes(comparison: OffPolicyComparison) -> str:
    champion, challenger = comparison.champion, comparison.challenger
    return (
        f"{champion.effective_sample_size:.0f} of the champion's choices, "
        f"{challenger.effective_sample_size:.0f} of the challenger's"
    )


def with_error(estimate: RewardEstimate, *, sign: str = "") -> str:
    """Return an estimate with its standard error."""
    return f"{estimate.value:{sign}.4f} ± {estimate.standard_error:.4f}"
