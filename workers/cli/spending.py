"""`waybill keys spending`: what each key's calls of a month have cost."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.cli.output import info, show, write_json
from workers.cli.store_context import open_store

if TYPE_CHECKING:
    from tasks.store.spending import Spending

_COLUMNS = ("month", "key", "key_id", "batches", "calls", "cost_usd", "budget_month_usd")


def spending(
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="Default: this month, UTC.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Show what each key's calls of a month have cost, from the ledger; and those of the command."""
    from tasks.errors import UsageError
    from tasks.store import spending as ledger
    from workers.views.keys import spending_table

    if json and as_csv:
        raise UsageError("choose --json or --csv")
    with open_store() as (_, store), store.read() as connection:
        wanted = ledger.Month.of(month) if month else ledger.this_month(connection)
        found = ledger.by_key(connection, wanted)
    if json:
        write_json([_row(one, wanted.name) for one in found])
    elif as_csv:
        _write_csv(found, wanted.name)
    elif found:
        show(spending_table(found, wanted.name), highlight=False)
    else:
        info(f"no call was made in {wanted.name}")


def _row(one: Spending, month: str) -> dict[str, Any]:
    from tasks.store.dollars import dollars

    values = (
        month,
        one.name,
        one.key_id,
        one.batches,
        one.calls,
        dollars(one.spent),
        dollars(one.budget_month),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _write_csv(found: Sequence[Spending], month: str) -> None:
    from tasks.formats.outputs.csv_table import safe_text

    rows = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\r\n")
    rows.writeheader()
    for one in found:
        rows.writerow({**_row(one, month), "key": safe_text(one.name or "")})
