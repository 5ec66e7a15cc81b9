"""Results as CSV, safe to open in a spreadsheet and to print on a terminal."""

import csv
import re
from typing import TextIO

from tasks.formats.escapes import BIDIRECTIONAL, without_escapes
from tasks.formats.outputs.flat import COLUMNS, flat_row
from tasks.formats.results import ResultRecord
from tasks.json_values import to_json

# A cell that starts with one of these is a formula to spreadsheets (OWASP ASVS 1.2.10), full-width forms too.
_FORMULA = tuple("=+-@\t\r\0＝＋－＠")
# Control characters that JSON need not escape, but that a terminal obeys.
_CONTROL = re.compile(rf"[\x7f-\x9f{BIDIRECTIONAL}]")


class CsvTable:
    """A sink that writes a header and then the flat columns."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows = csv.writer(stream, lineterminator="\r\n")
        self._rows.writerow(COLUMNS)

    def write(self, record: ResultRecord) -> None:
        """Write one row."""
        row = flat_row(record)
        self._rows.writerow([_cell(row[name]) for name in COLUMNS])

    def finish(self) -> None:
        """Flush every row to the file."""
        self._stream.flush()


def safe_text(text: str) -> str:
    """Return the text without terminal escapes, and with a leading apostrophe if it would be a formula."""
    clean = without_escapes(text)
    clean = clean.encode(errors="replace").decode()
    return f"'{clean}" if text.startswith(_FORMULA) or clean.startswith(_FORMULA) else clean


def _cell(value: object) -> object:
    if isinstance(value, str):
        return safe_text(value)
    return _safe_json(value) if isinstance(value, dict | list | bool) else value


def _safe_json(value: object) -> str:
    """Return JSON in which control characters are escaped: cutting sequences out could break the JSON."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", to_json(value))
