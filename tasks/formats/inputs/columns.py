"""The columns of a table: which of them are read, and its rows as the fields of plain lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tasks.formats.errors import FormatsError, LineRejected
from tasks.formats.inputs import cells
from tasks.formats.inputs.fields import data_columns, mapped, note_answer
from tasks.formats.inputs.names import listed
from tasks.formats.inputs.options import Plan
from tasks.formats.inputs.shapes.registry import SHAPES, hint

_OWN = ("id", "custom_id", "prompt", "messages", "system", "model")


class TableColumns:
    """The columns of one table, checked once; `used` are those that its rows are made of."""

    def __init__(self, names: Sequence[str], plan: Plan, refuse: Callable[[str], FormatsError]) -> None:
        """Find the columns.

        Args:
            names: The names in the header, in order.
            plan: How the table is read.
            refuse: Makes the error of the whole table from a reason.

        Raises:
            FormatsError: A column is missing or stands twice, or none holds the prompt.
        """
        self._plan, self._refuse, self._names = plan, refuse, [name.strip() for name in names]
        self._keys = [self._key(name) for name in self._names]
        self._check_named()
        self._parameters = self._found_parameters()
        wanted = self._wanted()
        self.used = [(index, key) for index, key in enumerate(self._keys) if key in wanted]
        self._indexes = [index for index, _ in self.used]
        self._readers = [(key, self._reader(key)) for _, key in self.used]
        self._check_unique()
        self._notice()

    def fields(self, row: Sequence[object]) -> object | LineRejected:
        """Return the fields of a row, given the cells of all columns; empty ones count as absent."""
        return self.fields_of_used([row[index] for index in self._indexes])

    def fields_of_used(self, row: Sequence[object]) -> object | LineRejected:
        """Return the fields of a row, given the cells of the used columns."""
        record: dict[str, Any] = {}
        try:
            for (key, read), cell in zip(self._readers, row, strict=True):
                value = cell if read is None or cells.is_missing(cell) else read(cell)
                if not cells.is_missing(value):
                    record[key] = value
        except LineRejected as rejected:
            rejected.given_id = self._given_id(row)
            return rejected
        self._fill(record)
        if self._plan.maps_columns:
            return mapped(record, self._plan)
        note_answer(record, self._plan)
        return record

    def _reader(self, key: str) -> Callable[[Any], object] | None:
        """Return what makes a value of a cell of this column; None where the cell is the value."""
        options = self._plan.options
        if key in self._parameters:
            return partial(cells.parameter, kind=self._plan.parameters.get(key))
        of_json = SHAPES[options.shape].keys - {"instruction"} if options.shape else frozenset({"messages"})
        if key in of_json or key in ("prompt", options.prompt_column):
            return partial(cells.nested, is_json=key in of_json)
        return None

    def _fill(self, record: dict[str, Any]) -> None:
        """Put an empty text or None where the prompt should come from, so that its absence is named."""
        options = self._plan.options
        if options.template is not None:
            for name in options.template.names:
                record.setdefault(name, None)
        elif options.prompt_column is not None:
            record.setdefault(options.prompt_column, "")
        elif "messages" not in record:
            record.setdefault("prompt", "")

    def _given_id(self, row: Sequence[object]) -> object:
        record = {key: cell for (key, _), cell in zip(self._readers, row, strict=True)}
        name = self._plan.options.id_column
        return record.get(name) if name else record.get("id", record.get("custom_id"))

    def _key(self, name: str) -> str:
        """Return what the column is called from here on: the option that names it, or a known name."""
        for option in self._named():
            if name == option or (option not in self._names and name.casefold() == option.casefold()):
                return option
        lower = name.lower()
        shape = self._plan.options.shape
        known = {*_OWN, *self._plan.parameters, *(_shape_keys(shape) if shape else ())}
        return lower if lower in known else name

    def _named(self) -> list[str]:
        return [*data_columns(self._plan.options), *(self._plan.options.param_columns or ())]

    def _check_named(self) -> None:
        options = self._plan.options
        missing = [name for name in self._named() if name not in self._keys]
        if missing:
            raise self._refuse(f"has no column {missing[0]!r}; it has {listed(self._names)}")
        if options.shape is not None:
            lacking = sorted(SHAPES[options.shape].keys - set(self._keys))
            if lacking:
                title = SHAPES[options.shape].title
                raise self._refuse(f"is not {title}: no {lacking[0]!r}; it has {listed(self._names)}")
        elif options.prompt_column is None and options.template is None:
            self._check_prompt()

    def _check_prompt(self) -> None:
        if "prompt" in self._keys and "messages" in self._keys:
            raise self._refuse("has a 'prompt' and a 'messages' column; --prompt-column chooses one")
        if "prompt" not in self._keys and "messages" not in self._keys:
            names = listed(self._names)
            raise self._refuse(f"has no 'prompt' column; it has {names}; {hint(self._keys)}")

    def _check_unique(self) -> None:
        keys = [key for _, key in self.used]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise self._refuse(f"has two columns {twice[0]!r}")

    def _found_parameters(self) -> frozenset[str]:
        options = self._plan.options
        if options.shape is not None:
            return SHAPES[options.shape].optional & self._plan.parameters.keys() & set(self._keys)
        if options.param_columns is not None:
            return frozenset(options.param_columns)
        known = (self._plan.parameters.keys() | {"model"}) - data_columns(options)
        return frozenset(known & set(self._keys))

    def _wanted(self) -> frozenset[str]:
        options = self._plan.options
        if options.shape is not None:
            return frozenset(_shape_keys(options.shape)) | {"id", "custom_id"} | data_columns(options)
        named = data_columns(options)
        ids = {options.id_column} if options.id_column else {"id", "custom_id"}
        is_named = options.prompt_column is not None or options.template is not None
        prompt = set() if is_named else {"prompt", "messages"}
        system = set() if options.system_column else {"system"}
        return frozenset(named | ids | prompt | system | self._parameters)

    def _notice(self) -> None:
        used = {index for index, _ in self.used}
        ignored = [name for index, name in enumerate(self._names) if name and index not in used]
        if ignored:
            self._plan.notice(f"columns that are not read: {listed(ignored)}")
        sent = sorted(self._parameters - {"model"})
        if sent and self._plan.options.param_columns is None:
            self._plan.notice(
                f"columns sent as parameters: {listed(sent)} (--param-columns none sends none of them)"
            )


def _shape_keys(shape: Any) -> frozenset[str]:
    return SHAPES[shape].keys | SHAPES[shape].optional
