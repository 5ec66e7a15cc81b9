"""The keys of the API server, and what was done with them, for a terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text
from sqlalchemy import RowMapping

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.store.api.keys import Key
from tasks.store.spending import Spending
from workers.views.status import time_text, usd

#: the longest id and the name before it: a `file` of a batch that was made
_SUBJECT_WIDTH = len("file=file-") + 24
#: the row of what no key has spent
WITHOUT_KEY = "(command and Python)"


def keys_table(keys: Sequence[Key], left: Mapping[str, Mapping[str, int]] | None = None) -> Table:
    """Return a row for each key and its limits; below the name stands the id, which is copied.

    Args:
        keys: The keys.
        left: By key, the micro-dollars that are left of its budgets, by period.
    """
    table = _table("name, id")
    for name in ("state", "budget", "models", "limits", "priority"):
        table.add_column(name, overflow="fold")
    for key in keys:
        rooms = (left or {}).get(key.id, {})
        table.add_row(*map(_cell, (
            (key.name, key.id),
            _state(key),
            (_budget(key.budget_day, "day", rooms), _budget(key.budget_month, "month", rooms)),
            key.models or ("all",),
            (_limit(key.rpm, "rpm"), _limit(key.concurrent_batches, "batches")),
            (key.priority,),
        )))  # fmt: skip
    return table


def _cell(lines: Sequence[str | None]) -> Text:
    return Text("\n".join(filter(None, lines)))


def _budget(micros: int | None, period: str, left: Mapping[str, int]) -> str | None:
    room = f"\n  {usd(max(left[period], 0))} left" if period in left else ""
    return None if micros is None else f"{usd(micros)} a {period}{room}"


def _state(key: Key) -> tuple[str | None, ...]:
    """Return what a key is, and until when the text before a rotation opens the API, too."""
    if key.revoked_at is not None:
        return ("revoked", "operator" if key.is_operator else None)
    holds = key.previous_until > time.time() * 1000
    old = f"old text until {time_text(key.previous_until)}" if holds else None
    return ("valid", "operator" if key.is_operator else None, old)


def _limit(number: int | None, unit: str) -> str | None:
    return None if number is None else f"{number:,} {unit}"


def spending_table(found: Sequence[Spending], month: str) -> Table:
    """Return a row for each key: what its calls of a month have cost; the last row is of all."""
    table = _table(f"key, in {month} (UTC)")
    for name in ("batches", "calls", "cost", "budget a month"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found:
        budget = "" if one.budget_month is None else usd(one.budget_month)
        counts = (f"{one.batches:,}", f"{one.calls:,}", usd(one.spent), budget)
        table.add_row(*map(Text, (one.name or WITHOUT_KEY, *counts)))
    batches, calls = sum(one.batches for one in found), sum(one.calls for one in found)
    table.add_row("together", f"{batches:,}", f"{calls:,}", usd(sum(one.spent for one in found)), "")
    return table


def audit_table(entries: Sequence[Mapping[str, Any] | RowMapping], names: Mapping[str, str]) -> Table:
    """Return a row for each thing that was done: when, by whom, to what; the details stand below that."""
    table = _table("subject, detail")
    for name, most in (("when (UTC)", 10), ("who", 12), ("action", None)):
        table.add_column(name, overflow="fold", max_width=most)
    for entry in entries:
        when = datetime.fromtimestamp(entry["at"] // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        details = [_told(name, value) for name, value in (entry["detail"] or {}).items()]
        subject = [part for line in (entry["subject"] or "", *details) for part in wrap(line, _SUBJECT_WIDTH)]
        who = names.get(entry["actor"], entry["actor"])
        table.add_row(*map(Text, ("\n".join(subject), when, who, entry["action"])))
    # An id is copied: in a narrow terminal the other columns shrink.
    table.columns[0].min_width = max(map(cell_len, "\n".join(map(str, table.columns[0].cells)).split("\n")))
    return table


def _table(first: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column(first, no_wrap=True)
    return table


def _told(name: str, value: object) -> str:
    """Return a detail of the audit log; amounts are stored in micro-dollars."""
    if name.startswith("budget") and isinstance(value, int):
        return f"{name}=${value / MICROS_PER_DOLLAR:.6f}"
    return f"{name}={'none' if value is None else value}"
