"""JSON Lines: one JSON object per line, an OpenAI Batch line or a plain one."""

import json

from pydantic_core import from_json

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.fields import line_fields
from tasks.formats.inputs.file import InputFile, numbered_lines
from tasks.formats.inputs.options import Plan
from tasks.formats.inputs.rows import Rows

_ARRAY = "JSON Lines has one object a line and nothing between; a JSON array is read with --format json"


def json_rows(file: InputFile, plan: Plan) -> Rows:
    """Yield the fields of each non-blank line."""
    for number, line in numbered_lines(file):
        if isinstance(line, LineRejected):
            yield number, line
        elif not line.isspace() and line:
            value = json_value(line)
            if isinstance(value, list):
                value = LineRejected("not_an_object", f"is a JSON array; {_ARRAY}")
            yield number, value if isinstance(value, LineRejected) else line_fields(value, plan)


def json_value(line: bytes) -> object | LineRejected:
    """Return the JSON value of a line; NaN and Infinity are floats, which only a used key may not hold."""
    try:
        # Three times as fast as the standard library, which is asked what is wrong where this one refuses.
        return from_json(line)  # type: ignore[no-any-return]
    except ValueError:
        return _slowly(line)


def _slowly(line: bytes) -> object | LineRejected:
    try:
        value: object = json.loads(line.decode())
        return value
    except UnicodeDecodeError as error:
        return LineRejected("not_utf8", f"not UTF-8 at byte {error.start + 1}")
    except json.JSONDecodeError as error:
        return LineRejected("invalid_json", f"invalid JSON at column {error.colno}: {_problem(line, error)}")
    except RecursionError:
        return LineRejected("too_deep", "nested too deeply to be read")
    except ValueError:
        return LineRejected("invalid_json", "invalid JSON: a number has too many digits")


def _problem(line: bytes, error: json.JSONDecodeError) -> str:
    text = line.strip()
    if text in (b"[", b"]", b"],") or (text.endswith(b",") and error.msg == "Extra data"):
        return f"{error.msg}; {_ARRAY}"
    return error.msg.removesuffix(" at")  # the place follows
