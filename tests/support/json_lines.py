"""One JSON line as it is read, and what is sent of it."""

import json
from typing import Any

from tasks.formats.inputs.options import input_options
from tasks.formats.reading import InputError, ParsedRequest, requests_from


def taken(line: object, notices: list[str] | None = None, **options: Any) -> ParsedRequest | InputError:
    said = [] if notices is None else notices
    (item,) = requests_from([line], models=["small"], options=input_options(**options), on_notice=said.append)
    return item


def body(line: object, **options: Any) -> dict[str, Any]:
    item = taken(line, **options)
    assert isinstance(item, ParsedRequest), item
    found: dict[str, Any] = json.loads(item.body)
    return found


def user(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]
