"""The rows that every format is read into: a line's number, and its unchecked fields or an error."""

from collections.abc import Iterator
from typing import TypeAlias

from tasks.formats.errors import LineRejected

Row: TypeAlias = tuple[int, object | LineRejected]
Rows: TypeAlias = Iterator[Row]
