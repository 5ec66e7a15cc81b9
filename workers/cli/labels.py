"""`waybill labels`: export of labels, import of people's labels, and the quality of judges."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.bad_lines import BadLines
from workers.cli.batch_ids import full_ids
from workers.cli.exit_codes import ExitCode
from workers.cli.output import info, show, warn, write_json
from workers.cli.store_context import open_store
from workers.cli.validation_options import Checks
from workers.cli.writing import STDOUT, open_output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router_core.data.labelled_prompts import LabelledPrompt

app = typer.Typer(no_args_is_help=True, help="Labels of judges, people and checks: export, import, quality.")

_Output = Annotated[
    str, typer.Option("--output", "-o", metavar="PATH", help="A file or URL, or - for stdout.")
]
_Batches = Annotated[
    list[str] | None, typer.Option("--batch", metavar="COLLECT", help="Of this batch only; may be repeated.")
]


@app.command("export")
def export(
    output: _Output = STDOUT,
    batch: _Batches = None,
    checks: Checks = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Average the verdicts; else judges weigh what they are worth.")
    ] = False,
) -> None:
    """Write labelled prompts, for `train` and `evaluate`."""
    from tasks.learning import labels

    with open_store() as (_, store):
        _write(labels.export(store, full_ids(store, batch), robust=not plain, checks=checks), output)


@app.command("checks")
def checks(
    output: _Output = STDOUT,
    batch: Annotated[
        list[str] | None,
        typer.Option("--batch", metavar="BATCH", help="Of this batch only; may be repeated."),
    ] = None,
) -> None:
    """Write labelled prompts from checks of answers: a score is the share of answers that fit."""
    from tasks.learning import labels

    with open_store() as (_, store):
        _write(labels.checked(store, full_ids(store, batch)), output)


def _write(rows: Iterator[LabelledPrompt], output: str) -> None:
    from tasks.learning import labels

    count = 0
    with open_output(output) as stream:
        for labelled in rows:
            stream.write(json_text.dumps(labels.row_of(labelled), ensure_ascii=False) + "\n")
            count += 1
    info(f"{count} labelled prompts")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Scores or preferences of people, JSONL, gzip allowed.")],
    annotator: Annotated[
        str, typer.Option(metavar="NAME", help="Who said it, where a line does not name its annotator.")
    ] = "human",
) -> None:
    """Take in what people said of answers; judges are compared with it, and labels heed it."""
    from router_core.data.label_checks.checks import LabelChecks
    from tasks.formats.requests import InputError
    from tasks.learning import labels
    from workers.routers.labelled_files import INVALID_LABEL

    checks = LabelChecks()
    with open_store() as (settings, store), BadLines(str(file)) as bad:
        read, new = labels.import_human(
            store,
            file,
            annotator=annotator,
            on_error=lambda line, reason: bad.add(InputError(line, INVALID_LABEL, reason, None)),
            checks=checks,
        )
    warn(checks.warnings(known=[model.name for model in settings.models]))
    info(f"{read} labels read, {new} of them new" + (f"; {bad.count} bad lines" if bad.count else ""))
    raise typer.Exit(ExitCode.SOME_FAILED if bad.count else ExitCode.DONE)


@app.command("quality")
def quality(
    batch: _Batches = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Judge the judges: agreement, order flips, length bias, garbage, self-preference, and people."""
    from tasks.learning import labels
    from workers.views.judges import judges_view

    with open_store() as (settings, store):
        report = labels.quality(store, settings, full_ids(store, batch))
    if json:
        write_json(report.to_dict())
        return
    show(judges_view(report), highlight=False)
    alpha = "-" if report.alpha is None else f"{report.alpha:.2f}"
    info(f"{report.pairs:,} pairs; agreement of all judges beyond chance (Krippendorff's alpha): {alpha}")
    warn(report.warnings)
    for finding in report.findings:
        info(finding)
    if report.judges and not report.findings:
        info("no judge has a fault that these verdicts would show")
