"""`waybill train` and `waybill evaluate`."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.speaking import put, put_json, say

if TYPE_CHECKING:
    from router_core.evaluation import Evaluation


def train(
    labelled: Annotated[list[Path], typer.Argument(help="Labelled prompts, JSONL, gzip allowed.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The router's directory.")],
    embedder: Annotated[
        str | None, typer.Option(metavar="MODEL", help="static, hub id or folder; default: [embedder] model.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same rows and seed give the same router.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train a router on labelled prompts and save it."""
    from tasks.settings import load_settings
    from workers.training import train_router

    router = train_router(load_settings(), labelled, output, embedder=embedder, seed=seed, say=say)
    if json:
        put_json({"router": str(output), "version": router.version, "models": list(router.models)})
    else:
        put(str(output))
    held = router.settings.margins["quality"] is None
    kept = f"; no deviation paid on inner folds: it stays with {router.best_single}" if held else ""
    say(f"router {router.version}: {len(router.models)} models, {router.training['rows']} prompts{kept}")


def evaluate(
    labelled: Annotated[Path, typer.Argument(help="Labelled prompts that it was not trained on.")],
    router: Annotated[Path, typer.Option(help="The router's directory.")],
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
    from tasks.settings import load_settings
    from workers.training import evaluate_router

    found = evaluate_router(
        load_settings(),
        labelled,
        router,
        quality_floor=quality_floor,
        include_training=include_training,
        say=say,
    )
    for note in found.data.notes():
        say(note)
    if report is not None:
        _write_report(found, report)
    put_json(found.to_dict()) if json else put(markdown(found))


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
