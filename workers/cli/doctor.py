"""`waybill doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.exit_codes import ExitCode
from workers.cli.output import show, write_json

if TYPE_CHECKING:
    from rich.text import Text


def doctor(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check settings, Redis, store, models, servers, keys, judges, router, embedder, drift, disk, workers."""
    from tasks.errors import SettingsError
    from tasks.settings import load_settings
    from workers.doctor.checks import run_checks
    from workers.doctor.finding import Finding, Level

    try:
        findings = run_checks(load_settings())
    except SettingsError as error:
        findings = [Finding("settings", Level.FAIL, str(error), "correct waybill.toml or the environment")]
    if json:
        write_json({"findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            show(_line(finding.level, finding.name, finding.text, finding.advice))
    raise typer.Exit(ExitCode.ERROR if any(f.level is Level.FAIL for f in findings) else ExitCode.DONE)


def _line(level: str, name: str, text: str, advice: str) -> Text:
    from rich.text import Text

    style = {"ok": "green", "warn": "yellow", "fail": "red"}[level]
    advised = f": {advice}" if advice else ""
    return Text.assemble((f"{level:<5}", style), (f"{name:<10}", "bold"), f"{text}{advised}")
