"""Models whose names are probably misspelt: a near name has many more rows, and no row has both."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from router_core.data.label_checks.places import Found, count

#: A name with a larger share of the near one's rows is a model of its own, unless they differ in signs alone.
_FEW = 0.1
#: From this length on two edits leave a name near, below it one does.
_LONG = 8


class NameCheck:
    """Counts the rows of each model, and which near names are never in one row."""

    def __init__(self) -> None:
        self._rows: dict[str, Found] = {}
        #: the near names of each name that are in no row with it
        self._apart: dict[str, set[str]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names seen."""
        return tuple(self._rows)

    def add(self, models: Collection[str], place: str) -> None:
        """Take in the models of a row."""
        for model in models:
            if model not in self._rows:
                self._apart[model] = {other for other in self._rows if are_near(other, model)}
                for other in self._apart[model]:
                    self._apart[other].add(model)
            self._rows[model] = count(self._rows.get(model), place)
        for model in models:
            if others := self._apart[model]:
                others.difference_update(models)

    def warnings(self, known: Collection[str] = ()) -> Iterator[str]:
        """Yield a sentence for each misspelt name; `known` are names that are right, if any are known."""
        for name, rows in self._rows.items():
            if name in known:
                continue
            meant = [*self._meant(name), *_unseen(name, known, self._rows)]
            if meant:
                yield f"model {name!r} in {rows.rows}: is {' or '.join(map(repr, meant))} meant?"

    def _meant(self, name: str) -> Iterator[str]:
        return (other for other in sorted(self._apart[name]) if self._is_rarer(name, other))

    def _is_rarer(self, name: str, other: str) -> bool:
        own, others = self._rows[name].count, self._rows[other].count
        if _letters(name) == _letters(other):  # of equal ones, one is named
            return (own, name) < (others, other)
        return own <= _FEW * others


def _unseen(name: str, known: Collection[str], seen: Mapping[str, object]) -> list[str]:
    return [right for right in known if right not in seen and are_near(name, right)]


def are_near(one: str, other: str) -> bool:
    """Return whether two different names may be spellings of one."""
    if _letters(one) == _letters(other):
        return True
    edits = 2 if min(len(one), len(other)) >= _LONG else 1
    return abs(len(one) - len(other)) <= edits and _distance(one.lower(), other.lower()) <= edits


def _letters(name: str) -> str:
    """Return a name in lower case, without spaces and punctuation."""
    return "".join(sign for sign in name.lower() if sign.isalnum())


def _distance(one: str, other: str) -> int:
    """Return the fewest edits that make one text the other (optimal string alignment).

    An edit inserts, deletes or replaces a sign, or swaps two that are next to each other.
    """
    above: list[int] = []
    row = list(range(len(other) + 1))
    for y, sign in enumerate(one, start=1):
        before, above, row = above, row, [y]
        for x, other_sign in enumerate(other, start=1):
            edits = [above[x] + 1, row[x - 1] + 1, above[x - 1] + (sign != other_sign)]
            if x > 1 and y > 1 and sign == other[x - 2] and other_sign == one[y - 2]:
                edits.append(before[x - 2] + 1)
            row.append(min(edits))
    return row[-1]
