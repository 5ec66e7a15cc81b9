"""How many rows or scores were found, and where the first of them is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Found:
    """So many rows or scores, the first of which is at a place."""

    first: str
    count: int = 0

    @property
    def rows(self) -> str:
        """The number of rows, and where the first one is."""
        return self._text("row")

    @property
    def scores(self) -> str:
        """The number of scores, and where the first one is."""
        return self._text("score")

    def _text(self, noun: str) -> str:
        return (
            f"1 {noun} ({self.first})" if self.count == 1 else f"{self.count:,} {noun}s (first: {self.first})"
        )


def count(found: Found | None, place: str) -> Found:
    """Return what was found with one more, which is at `place`."""
    found = Found(place) if found is None else found
    found.count += 1
    return found
