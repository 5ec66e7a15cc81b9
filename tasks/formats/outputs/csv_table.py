"""Results as CSV that is safe to open in a spreadsheet or to print on a terminal."""

import csv
from typing import TextIO

from tasks.formats.escapes import without_escapes
from tasks.formats.outputs.flat import COLUMNS, flat_row
from tasks.formats.outputs.sink import to_json
from tasks.formats.results import ResultRecord

# A cell that begins so is a formula to a spreadsheet (OWASP ASVS 1.2.10), in its full-width form too.
_FORMULA = tuple("=+-@\t\r\0＝＋－＠")


class CsvTable:
    """Writes the flat columns, after a header."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows = csv.writer(stream, lineterminator="\r\n")
        self._rows.writerow(COLUMNS)

    def write(self, record: ResultRecord) -> None:
        """Write one row."""
        row = flat_row(record)
        self._rows.writerow([_cell(row[name]) for name in COLUMNS])

    def finish(self) -> None:
        """Hand every row on to the file."""
        self._stream.flush()


def safe_text(text: str) -> str:
    """Return the text without terminal escapes, behind a quote mark where it would be a formula."""
    clean = without_escapes(text)
    clean = clean.encode(errors="replace").decode()
    return f"'{clean}" if text.startswith(_FORMULA) or clean.startswith(_FORMULA) else clean


def _cell(value: object) -> object:
    if isinstance(value, str):
        return safe_text(value)
    return to_json(value) if isinstance(value, dict | list | bool) else value
