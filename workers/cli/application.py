"""The Typer application. A command imports what it needs when it runs, so that `--help` is instant."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from workers.cli import (
    archive,
    collect,
    control,
    data,
    demo,
    distill,
    doctor,
    evaluation,
    explain,
    init,
    judge,
    keys,
    labels,
    processes,
    results,
    routers,
    routing,
    status,
    submit,
    training,
)
from workers.cli.help import Commands
from workers.cli.output import write

app = Commands(
    name="waybill",
    help="Routes offline batches of prompts, each to the LLM predicted to answer it best for its price.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # In rich's own markup, a table of the settings in brackets, as in [router], would vanish.
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def print_version(wanted: bool) -> None:
    """Print the version of the installed Waybill and end, if that is asked for."""
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            write(f"waybill {version('waybill')}")
        except PackageNotFoundError:
            write("waybill, run from its sources without an installation")
        raise typer.Exit


@app.callback()
def configure(
    config: Annotated[
        Path | None,
        typer.Option(help="Settings file; without it $WAYBILL_CONFIG, then ./waybill.toml.", exists=True),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True),
    ] = False,
) -> None:
    """Remember the settings file, for this process and for those that it starts."""
    # Set before torch or LightGBM are loaded: threads that spin while they wait starve the other processes.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Matrix products are small here: on busy cores numpy's threads cost training several times the CPU time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if config is not None:
        os.environ["WAYBILL_CONFIG"] = str(config.absolute())


app.command("init")(init.init)
app.command("demo")(demo.demo)
app.command("up")(processes.up)
app.command("submit")(submit.submit)
app.command("status")(status.status)
app.command("results")(results.results)
app.command("cancel")(control.cancel)
app.command("pause")(control.pause)
app.command("resume")(control.resume)
app.command("budget")(control.budget)
app.command("retry")(control.retry)
app.command("route")(routing.route)
app.command("explain")(explain.explain)
app.command("train")(training.train)
app.command("distill")(distill.distill)
app.command("evaluate")(evaluation.evaluate)
app.command("collect")(collect.collect)
app.command("judge")(judge.judge)
app.add_typer(labels.app, name="labels")
app.add_typer(data.app, name="data")
app.command("archive")(archive.archive)
app.command("promote")(routers.promote)
app.command("routers")(routers.routers)
app.command("worker")(processes.worker)
app.command("api")(processes.api)
app.add_typer(keys.app, name="keys")
app.command("flower")(processes.flower)
app.command("metrics")(processes.metrics)
app.command("doctor")(doctor.doctor)
