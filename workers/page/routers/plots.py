"""Plots as SVG, drawn by the server: places in a box, in which templates draw lines and marks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

_TICKS = 5
#: a model's name, in SVG's units: how wide it may be, how high a line is, how far above its point it stands
_NAME_WIDTH, _NAME_HEIGHT, _NAME_RISE = 240.0, 13.0, 6.0


@dataclass(frozen=True, slots=True)
class Box:
    """The ends of the axes, in SVG's units; titles and ticks stand around it."""

    left: float = 64.0
    top: float = 12.0
    right: float = 520.0
    bottom: float = 236.0


BOX = Box()


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis: the values at its ends, and where they are drawn."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return where a value is drawn."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Return round values along the axis."""
        step = _round_step((self.high - self.low) / _TICKS)
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points, with its name and its style's class."""

    name: str
    style: str
    points: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A named point; `low` and `high` are the ends of its error bar, `name_y` is where its name stands."""

    name: str
    style: str
    x: float
    y: float
    low: float
    high: float
    name_y: float = 0.0


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot; ticks are places with their text, `upright` are the places of dotted vertical lines."""

    title: str
    x_name: str
    y_name: str
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    lines: Sequence[Line] = ()
    band: str = ""
    marks: Sequence[Mark] = ()
    upright: Sequence[tuple[float, str]] = ()
    zero: float | None = None
    box: Box = BOX


def x_scale(values: Iterable[float]) -> Scale:
    """Return a horizontal axis from 0, or from the lowest value below it, to the highest of these values."""
    return _scale(values, BOX.left, BOX.right)


def y_scale(values: Iterable[float]) -> Scale:
    """Return a vertical axis, as `x_scale` does."""
    return _scale(values, BOX.bottom, BOX.top)


def ticks_of(scale: Scale, text: Callable[[float], str]) -> list[tuple[float, str]]:
    """Return the ticks of an axis with their texts."""
    return [(scale.at(value), text(value)) for value in scale.ticks()]


def path(x: Scale, y: Scale, points: Iterable[tuple[float, float]]) -> str:
    """Return points as SVG's `points`."""
    return " ".join(f"{x.at(one)},{y.at(other)}" for one, other in points)


def with_names_apart(marks: Iterable[Mark]) -> list[Mark]:
    """Return the marks from the top down, each name a line below those that it would overlap."""
    placed: list[Mark] = []
    for mark in sorted(marks, key=lambda one: one.y):
        near = [one.name_y for one in placed if abs(one.x - mark.x) < _NAME_WIDTH]
        placed.append(replace(mark, name_y=max(mark.y - _NAME_RISE, *(y + _NAME_HEIGHT for y in near), 0.0)))
    return placed


def _scale(values: Iterable[float], start: float, end: float) -> Scale:
    known = [0.0, *values]
    low, high = min(known), max(known)
    spare = 0.05 * (high - low) or 1.0
    return Scale(low - spare if low < 0 else 0.0, high + spare, start, end)


def _round_step(rough: float) -> float:
    """Return the smallest of 1, 2, 2.5 and 5 times a power of ten that is at least this."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
