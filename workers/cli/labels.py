"""`waybill labels`: export of labels, import of people's labels, and the quality of judges."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.wording import counted
from workers.cli.bad_lines import BadLines
from workers.cli.batch_ids import full_ids
from workers.cli.exit_codes import ExitCode
from workers.cli.help import Commands
from workers.cli.output import info, show, warn, write_json
from workers.cli.store_context import open_store
from workers.cli.validation_options import Checks
from workers.cli.writing import STDOUT, open_output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router_core.data.labelled_prompts import LabelledPrompt

app = Commands(
    no_args_is_help=True, help="Labels of judges, people and checks: export, import, delete, quality."
)

_Output = Annotated[
    str, typer.Option("--output", "-o", metavar="PATH", help="A file or URL, or - for stdout.")
]
_Batches = Annotated[
    list[str] | None, typer.Option("--batch", metavar="COLLECT", help="Of this batch only; may be repeated.")
]

_DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; store nothing.")]
#: who gave the labels of lines that name nobody
_ANNOTATOR = "human"


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
    ] = _ANNOTATOR,
    dry_run: _DryRun = False,
    force: Annotated[
        bool, typer.Option("--force", help="Import also scores off their scale and models with near names.")
    ] = False,
) -> None:
    """Take in what people said of answers; judges are compared with it, and labels heed it.

    Nothing is stored of a file with a probable mistake, unless you say --force.
    """
    from router_core.data.label_checks.checks import LabelChecks
    from tasks.formats.requests import InputError
    from tasks.learning import label_import
    from workers.routers.labelled_files import INVALID_LABEL

    checks = LabelChecks()
    with open_store() as (settings, store):
        known = [model.name for model in settings.models]
        with BadLines(str(file)) as bad:
            read, new = label_import.import_human(
                store,
                file,
                annotator=annotator,
                on_error=lambda line, reason: bad.add(InputError(line, INVALID_LABEL, reason, None)),
                checks=checks,
                dry_run=dry_run or not force,
            )
        warn(checks.warnings(known=known))
        if not force and next(checks.mistakes(known=known), None):
            advice = "put right what the warnings say, or import it with --force"
            info(f"{_counts(read, new, bad.count)}; nothing is imported: {advice}")
            raise typer.Exit(ExitCode.ERROR)
        if not force and not dry_run:
            read, new = label_import.import_human(store, file, annotator=annotator)
    info(_counts(read, new, bad.count) + ("; nothing is stored (--dry-run)" if dry_run else ""))
    raise typer.Exit(ExitCode.SOME_FAILED if bad.count else ExitCode.DONE)


def _counts(read: int, new: int, bad: int) -> str:
    bad_lines = f"; {counted(bad, 'bad line')}" if bad else ""
    return f"{counted(read, 'label')} read, {new:,} of them new{bad_lines}"


@app.command("delete")
def delete(
    file: Annotated[
        Path | None,
        typer.Argument(help="What an import of this file has stored; labels given anew since stay."),
    ] = None,
    annotator: Annotated[
        str | None, typer.Option(metavar="NAME", help="This person's; with FILE, the one of its import.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Those that compare this model with another.")
    ] = None,
    dry_run: _DryRun = False,
) -> None:
    """Delete people's labels: those of a file, of a person or of a model; answers and verdicts stay."""
    from tasks.errors import UsageError
    from tasks.learning import label_import

    if file is None and annotator is None and model is None:
        raise UsageError("which labels? name a FILE, --annotator or --model")
    if file is not None and model is not None:
        raise UsageError("a FILE and --model: name one of them")
    with open_store() as (_, store):
        if file is None:
            number = label_import.delete_of(store, annotator=annotator, model=model, dry_run=dry_run)
        else:
            by = annotator or _ANNOTATOR
            number = label_import.delete_imported(store, file, annotator=by, dry_run=dry_run)
    info(f"{counted(number, 'label')} {'would be ' if dry_run else ''}deleted")


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
    if report.warnings:
        info("`waybill labels delete --model NAME` deletes people's labels of a misspelt model")
    for finding in report.findings:
        info(finding)
    if report.judges and not report.findings:
        info("no judge has a fault that these verdicts would show")
