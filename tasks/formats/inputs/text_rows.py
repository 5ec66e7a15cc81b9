"""Plain text: one prompt per line."""

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.fields import line_fields
from tasks.formats.inputs.file import InputFile, numbered_lines
from tasks.formats.inputs.options import Plan
from tasks.formats.inputs.rows import Rows


def text_rows(file: InputFile, plan: Plan) -> Rows:
    """Yield each non-blank line as the prompt of a plain line."""
    for number, line in numbered_lines(file):
        if isinstance(line, LineRejected):
            yield number, line
        elif not line.isspace() and line:
            yield number, _fields(line, plan)


def _fields(line: bytes, plan: Plan) -> object | LineRejected:
    try:
        return line_fields({"prompt": line.rstrip(b"\r\n").decode()}, plan)
    except UnicodeDecodeError as error:
        return LineRejected("not_utf8", f"not UTF-8 at byte {error.start + 1}")
