"""The cases of tests/data/cases: a request line, the provider's answers to it, and what must come out."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.paths import REPOSITORY

FOLDER = REPOSITORY / "tests" / "data" / "cases"
#: what a provider answers where a case says nothing: 20 and 10 tokens
USAGE = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
_EXPECTED = frozenset({
    "outcome", "code", "status", "calls", "cost", "sent", "not_sent", "columns", "notes", "notes_hold",
})  # fmt: skip
_ANSWER_KEYS = frozenset({"message", "choice", "usage", "body", "raw", "status", "headers"})


@dataclass(frozen=True)
class Answer:
    """One HTTP response of a provider."""

    content: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        line: The line of the batch file, as text; `$model` stands for the case's model.
        model: Settings of the case's model beside the usual ones.
        answers: What the provider answers, one after the other; the last one again and again.
        expected: What must come out; see README.md beside the tables.
    """

    name: str
    line: str
    model: Mapping[str, Any]
    answers: tuple[Answer, ...]
    expected: Mapping[str, Any]


def load_cases(folder: Path = FOLDER) -> list[Case]:
    """Return all cases, by table and in its order."""
    tables = [tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))]
    cases = [_case(entry) for table in tables for entry in table["case"]]
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
    return cases


def _case(entry: dict[str, Any]) -> Case:
    expected = entry.pop("expect", {})
    assert set(expected) <= _EXPECTED, (entry["name"], set(expected) - _EXPECTED)
    name = entry.pop("name")
    asked, model = _with_nulls(entry.pop("ask", {})), entry.pop("model", {})
    line = entry.pop("line", None) or _line(name, entry.pop("repeat", 1), asked)
    then = entry.pop("then", [])
    answers = tuple(_answer(name, one) for one in [entry, *then])
    return Case(name, line, model, answers, {**_USUAL, "sent": asked, **expected})


#: what must come out where a case says nothing
_USUAL = {"outcome": "succeeded", "calls": 1, "cost": 120}


def _line(name: str, repeat: int, asked: Mapping[str, Any]) -> str:
    message = {"role": "user", "content": f"What about {name}? " * repeat}
    body = {"model": "$model", "messages": [message], "max_tokens": 1000, **asked}
    body = {key: value for key, value in body.items() if value != "absent"}
    return json.dumps({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body})


def _answer(name: str, entry: Mapping[str, Any]) -> Answer:
    unknown = set(entry) - _ANSWER_KEYS
    assert not unknown, (name, unknown)
    raw = entry.get("raw")
    if raw is None:
        raw = json.dumps(_body(entry))
    return Answer(raw.encode("utf-8", "surrogatepass"), entry.get("status", 200), entry.get("headers", {}))


def _body(entry: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(entry.get("body", {}).get("error"), dict):
        return dict(entry["body"])
    message = {"role": "assistant", "content": "yes", **_with_nulls(entry.get("message", {}))}
    choice = {"index": 0, "message": message, "finish_reason": "stop", **_with_nulls(entry.get("choice", {}))}
    usage = _with_nulls(entry.get("usage", USAGE))
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
        "usage": usage, **_with_nulls(entry.get("body", {})),
    }  # fmt: skip


def _with_nulls(value: Any) -> Any:
    """Return the value with null for each text `null`: TOML has no null."""
    if value == "null":
        return None
    if isinstance(value, list):
        return [_with_nulls(item) for item in value]
    return {name: _with_nulls(item) for name, item in value.items()} if isinstance(value, dict) else value
