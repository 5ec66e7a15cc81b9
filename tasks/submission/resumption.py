"""Going on with an interrupted submission: what is given again must be what the batch holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Self

from sqlalchemy import Row, RowMapping, Select, select

from tasks.errors import NotResumed
from tasks.formats.errors import FormatError
from tasks.formats.inputs.options import InputOptions
from tasks.formats.requests import InputError, request_hash
from tasks.store import batches
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.ids import request_id
from tasks.store.tables import input_error, request
from tasks.submission.source import Item

#: how many lines are compared at once
PART_LINES = 2_000


class _Line(NamedTuple):
    """What a line is compared by; `body` is the hash of model, endpoint and body, None where not known."""

    line: int
    custom_id: str | None
    body: bytes | None

    @classmethod
    def of(cls, item: Item) -> Self:
        """Return that of a line that is given."""
        if isinstance(item, InputError):
            return cls(item.line, item.custom_id, None)
        return cls(item.line, item.custom_id, request_hash(item.model, item.body, item.endpoint))

    def is_as(self, other: Self) -> bool:
        """Whether two lines are equal as far as both are known: a bad one may have neither id nor body."""
        pairs = ((self.custom_id, other.custom_id), (self.body, other.body))
        return all(one is None or two is None or one == two for one, two in pairs)


def own_options(store: Store, batch_id: str) -> BatchOptions:
    """Return the options that a batch was submitted with."""
    with store.read() as connection:
        return BatchOptions.from_row(batches.find(connection, batch_id)["options"])


def own_reading(store: Store, batch_id: str, reading: InputOptions) -> InputOptions:
    """Return how the prompts of a batch are read: with its only model, where it has one."""
    models = own_options(store, batch_id).models
    return replace(reading, model=models[0] if len(models) == 1 else None)


def unread(store: Store, row: RowMapping, items: Iterable[Item], source: str) -> Iterator[Item]:
    """Yield the lines after those that a batch holds, with which the ones before are compared.

    Args:
        row: The batch.
        items: All lines, from the first.
        source: What messages call the input.

    Raises:
        NotResumed: A line is not the one that is stored, or there are fewer; before anything is yielded.
    """
    given = iter(items)
    following = _compared(_Comparison(store, row, source), given, row["lines_read"])
    if following is not None:
        yield following
        yield from given


def _compared(comparison: _Comparison, given: Iterator[Item], done: int) -> Item | None:
    """Compare the lines up to the last one stored, and return the first one after it."""
    part: list[_Line] = []
    try:
        for item in given:
            if item.line > done:
                comparison.check(part, done)
                return item
            part.append(_Line.of(item))
            if len(part) == PART_LINES:
                comparison.check(part, part[-1].line)
                part = []
    except FormatError as error:
        raise NotResumed(f"{error}; {comparison.batch_id} stays as it is") from None
    comparison.check(part, done, is_end=True)
    return None


class _Comparison:
    """A comparison of lines with those of a batch, from the first on, part by part."""

    def __init__(self, store: Store, row: RowMapping, source: str) -> None:
        self.batch_id: str = row["id"]
        self._store, self._no, self._source = store, row["no"], source
        # A file of the API does not change; another version of Waybill may read its bodies otherwise.
        self._compares_bodies = row["owner"] is None
        self._checked = 0

    def check(self, part: list[_Line], last: int, *, is_end: bool = False) -> None:
        """Compare the next lines, up to number `last`; raises NotResumed for the first that differs."""
        stored = self._stored(self._checked + 1, last, len(part) + 1)
        given = {one.line: one for one in part}
        differing = [
            line
            for line in stored.keys() | given.keys()
            if line not in stored or line not in given or not self._are_equal(given[line], stored[line])
        ]
        if differing:
            ended = is_end and min(differing) > max(given, default=self._checked)
            raise self._error(min(differing), ended=ended)
        self._checked = last

    def _are_equal(self, given: _Line, stored: _Line) -> bool:
        return given.is_as(stored if self._compares_bodies else stored._replace(body=None))

    def _error(self, line: int, *, ended: bool) -> NotResumed:
        what = (
            f"ends before line {line:,}, which" if ended else f"has another line {line:,} than the one that"
        )
        return NotResumed(
            f"{self._source} {what} {self.batch_id} holds: give the same prompts again, from the first on, "
            "read as before (columns, template, system, temperature, max_tokens); the batch stays as it is"
        )

    def _stored(self, first: int, last: int, most: int) -> dict[int, _Line]:
        """Return the first `most` requests and the first `most` bad lines among these lines."""
        ids = request.c.id.between(request_id(self._no, first), request_id(self._no, last))
        requests: Select[Any] = select(request.c.line, request.c.custom_id, request.c.body_hash).where(ids)
        bad: Select[Any] = select(input_error.c.line, input_error.c.custom_id).where(
            input_error.c.batch_no == self._no, input_error.c.line.between(first, last)
        )
        with self._store.read() as connection:
            found: list[Row[Any]] = []
            for query, key in ((requests, request.c.id), (bad, input_error.c.line)):
                found += connection.execute(query.order_by(key).limit(most))
        return {row.line: _line_of(row._mapping) for row in found}


def _line_of(row: Mapping[Any, Any]) -> _Line:
    # The hash of a text that was deleted is empty.
    return _Line(row["line"], row["custom_id"], bytes(row.get("body_hash") or b"") or None)
