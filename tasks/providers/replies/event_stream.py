"""A chat completion that came as a stream of events, although none was asked for (some proxies do so)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_FIELD = re.compile(r"(?:data|event|id|retry)\s?:")
_END = "[DONE]"
#: the texts of a message that arrive in pieces
_TEXTS = ("content", "refusal", "reasoning_content", "reasoning")


def is_event_stream(text: str) -> bool:
    """Return whether a body is a stream of server-sent events (HTML standard, section 9.2)."""
    return _FIELD.match(text) is not None


def assemble(text: str, load: Callable[[str], Any]) -> dict[str, Any] | None:
    """Return the completion that the chunks of a stream make; None if it has none.

    Args:
        text: The body of the response.
        load: Parses the JSON of one event.
    """
    events = (load(data) for data in _events(text) if data != _END)
    chunks = [chunk for chunk in events if isinstance(chunk, dict)]
    if not chunks:
        return None
    whole = {name: value for chunk in chunks for name, value in chunk.items() if value is not None}
    if any("choices" in chunk for chunk in chunks):
        whole["choices"] = _choices(chunks)
    return whole


def _events(text: str) -> Iterable[str]:
    """Yield the data of each event: a line, since JSON has no need of more."""
    for line in text.split("\n"):
        if data := line.removeprefix("data:").strip() if line.startswith("data:") else "":
            yield data


def _choices(chunks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        pieces = chunk.get("choices")
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, dict):
                index = piece.get("index")
                number = index if isinstance(index, int) else 0
                _add(found.setdefault(number, _empty_choice(number)), piece)
    return [found[index] for index in sorted(found)]


def _empty_choice(index: int) -> dict[str, Any]:
    return {"index": index, "message": {"role": "assistant", "content": None}, "finish_reason": None}


def _add(choice: dict[str, Any], piece: Mapping[str, Any]) -> None:
    """Add a chunk's piece to its choice; a piece that is a whole message replaces what was there."""
    for name, value in piece.items():
        if name == "logprobs" and isinstance(value, dict):
            choice[name] = _joined_logprobs(choice.get(name), value)
        elif name == "text" and isinstance(value, str):
            choice[name] = _text(choice.get(name)) + value
        elif name not in ("delta", "index") and value is not None:
            choice[name] = value
    if isinstance(piece.get("delta"), dict) and isinstance(choice["message"], dict):
        _add_delta(choice["message"], piece["delta"])


def _add_delta(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for name, value in delta.items():
        if name in _TEXTS and isinstance(value, str):
            message[name] = _text(message.get(name)) + value
        elif name == "tool_calls" and isinstance(value, list):
            message[name] = _joined_calls(message.get(name), value)
        elif isinstance(value, list) and isinstance(message.get(name), list):
            message[name] += value
        elif value is not None:
            message[name] = value


def _joined_calls(known: object, pieces: Iterable[Any]) -> list[dict[str, Any]]:
    calls = [call for call in known if isinstance(call, dict)] if isinstance(known, list) else []
    for piece in pieces:
        if not isinstance(piece, dict):
            continue
        index = piece.get("index", len(calls))
        call = next((call for call in calls if call.get("index") == index), None)
        if call is None:
            calls.append({**piece, "index": index})
        else:
            _add_call(call, piece)
    return calls


def _add_call(call: dict[str, Any], piece: Mapping[str, Any]) -> None:
    old, new = call.get("function"), piece.get("function")
    call.update({name: value for name, value in piece.items() if name != "function" and value is not None})
    if isinstance(old, dict) and isinstance(new, dict):
        call["function"] = {**old, "arguments": _text(old.get("arguments")) + _text(new.get("arguments"))}
    elif isinstance(new, dict):
        call["function"] = new


def _joined_logprobs(known: object, pieces: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(known) if isinstance(known, dict) else {}
    for name, value in pieces.items():
        old = joined.get(name)
        joined[name] = [*old, *value] if isinstance(old, list) and isinstance(value, list) else value
    return joined


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
