"""The course of a batch: what its counters were, at times that lie the further apart the longer it lasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

#: the most points of a course; with one more, every second one goes
MOST = 240
#: the time between two points at first, in ms
FIRST_EVERY_MS = 2_000
#: over how long the rate is measured, in ms
_RATE_MS = 30_000


class Point(NamedTuple):
    """The counters of a batch so many ms after its creation; `spent` is in micro-dollars."""

    at_ms: int
    done: int
    failed: int
    spent: int


#: where every batch begins
START = Point(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Course:
    """The points of a batch, the oldest first, each at least `every_ms` after the one before.

    The last points are kept as well however close they are: the rate is measured by them.
    """

    points: tuple[Point, ...] = ()
    every_ms: int = FIRST_EVERY_MS

    def __add__(self, point: Point) -> Course:
        """Return the course with one more point."""
        if not self.points and point.at_ms > 0:
            return Course((START, point), self.every_ms)
        points, every_ms = self._kept(point), self.every_ms
        if len(points) > MOST:
            every_ms *= 2
            points = (*points[:-1:2], points[-1])
        return Course(points, every_ms)

    def _kept(self, point: Point) -> tuple[Point, ...]:
        """Return the points with a new one, which takes the place of one that stands too close to its own."""
        if self.points and point[1:] == self.points[-1][1:]:
            return self._standing(point)
        close = len(self.points) > 1 and self.points[-1].at_ms - self.points[-2].at_ms < self.every_ms
        return (*(self.points[:-1] if close else self.points), point)

    def _standing(self, point: Point) -> tuple[Point, ...]:
        """Return the points of a batch that stands: the last one once more, so that the line goes on."""
        if point.at_ms - self.points[-1].at_ms < self.every_ms:
            return self.points
        stood = len(self.points) > 1 and self.points[-2][1:] == point[1:]
        return (*(self.points[:-1] if stood else self.points), point)

    def rate(self, now_ms: int) -> float:
        """Return the requests per second lately; `now_ms` is counted from the creation of the batch."""
        before = [point for point in self.points if point.at_ms <= now_ms - _RATE_MS]
        first = before[-1] if before else (self.points[0] if self.points else None)
        if first is None or now_ms <= first.at_ms:
            return 0.0
        return max(0, self.points[-1].done - first.done) * 1000 / (now_ms - first.at_ms)

    def to_row(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"every_ms": self.every_ms, "points": [list(point) for point in self.points]}

    @classmethod
    def from_row(cls, row: dict[str, Any] | None) -> Self:
        """Rebuild from the JSON column."""
        return cls() if row is None else cls(tuple(Point(*one) for one in row["points"]), row["every_ms"])
