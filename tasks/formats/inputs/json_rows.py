"""JSON Lines: one JSON object per line, an OpenAI Batch line or a plain one."""

import json
from typing import NoReturn

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.file import InputFile, numbered_lines
from tasks.formats.inputs.rows import Rows


def json_rows(file: InputFile) -> Rows:
    """Yield the JSON value of each non-blank line."""
    for number, line in numbered_lines(file):
        if number <= file.skip_lines:
            continue
        if isinstance(line, LineRejected):
            yield number, line
        elif not line.isspace() and line:
            yield number, _value(line)


def _value(line: bytes) -> object | LineRejected:
    try:
        value: object = _DECODER.decode(line.decode())
        return value
    except LineRejected as rejected:
        return rejected
    except UnicodeDecodeError as error:
        return LineRejected("not_utf8", f"not UTF-8 at byte {error.start + 1}")
    except json.JSONDecodeError as error:
        return LineRejected("invalid_json", f"invalid JSON at column {error.colno}: {error.msg}")
    except RecursionError:
        return LineRejected("too_deep", "nested too deeply to be read")
    except ValueError:
        return LineRejected("invalid_json", "invalid JSON: a number has too many digits")


def _refuse_constant(_name: str) -> NoReturn:
    raise LineRejected("invalid_parameter", "NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
