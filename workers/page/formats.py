"""Numbers, money and times as the page shows them."""

from __future__ import annotations

from datetime import UTC, datetime

from workers.views.status import duration, usd


def money(micros: int | None) -> str:
    """Return micro-dollars as dollars; a dash where there are none."""
    return "–" if micros is None else usd(micros)


def number(value: float | None, digits: int = 0) -> str:
    """Return a number with separators; a dash for none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def share(part: float | None, whole: float | None) -> str:
    """Return a part of a whole in percent, never 0 % or 100 % of what is only almost so."""
    if not whole or part is None:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "< 1 %"
    return f"{int(percent) if percent < 100 else 100} %"


def period(seconds: float | None) -> str:
    """Return a number of seconds; a dash for none."""
    return "–" if seconds is None else duration(seconds)


def sentence(text: str) -> str:
    """Return a text with its first letter large, the rest as it is."""
    return text[:1].upper() + text[1:]


def moment(ms: int | None) -> str:
    """Return a time in ms since 1970 as UTC."""
    return "–" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def machine_time(ms: int) -> str:
    """Return a time for the attribute `datetime`, from which the browser shows its own time."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")


def size(count: int) -> str:
    """Return a number of bytes."""
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"
