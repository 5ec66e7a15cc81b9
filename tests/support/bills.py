"""The examples of docs/money.md: usage blocks of providers, prices, and the bills that follow."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from tests.support.paths import REPOSITORY

PAGE = REPOSITORY / "docs" / "money.md"
_EXAMPLE = re.compile(
    r"^### (?P<provider>\w+): `(?P<model>[^`]+)`\n.*?```toml\n(?P<prices>.*?)```\n"
    r".*?```json\n(?P<reply>.*?)```\n"
    r"(?P<table>.*?)(?=^### |\Z)",
    re.MULTILINE | re.DOTALL,
)
_TEXT = [{"type": "text", "text": "four"}]
_CHOICES = [{"index": 0, "message": {"role": "assistant", "content": "four"}, "finish_reason": "stop"}]


@dataclass(frozen=True)
class Example:
    """A usage block and its bill.

    Attributes:
        provider: The name of the provider.
        model: LiteLLM's name of the model.
        prices: Keys of `[[models]]`.
        reply: What of the reply counts for the bill.
        rows: The cells of the table below it.
    """

    provider: str
    model: str
    prices: dict[str, Any]
    reply: dict[str, Any]
    rows: list[list[str]]

    @property
    def charged(self) -> int:
        """The bill in micro-dollars."""
        return int(self.rows[-1][-1].strip("*").replace(",", ""))


def examples() -> list[Example]:
    """Return the examples of the page."""
    return [
        Example(
            found["provider"],
            found["model"],
            tomllib.loads(found["prices"]),
            json.loads(found["reply"]),
            [[cell.strip() for cell in line.strip("|").split("|")] for line in _rows(found["table"])],
        )
        for found in _EXAMPLE.finditer(PAGE.read_text())
    ]


def whole_reply(example: Example) -> dict[str, Any]:
    """Return the reply of an example with an answer, as its provider sends it."""
    shapes: dict[str, dict[str, Any]] = {
        "Anthropic": {
            "id": "m", "type": "message", "role": "assistant", "model": "m", "content": _TEXT,
            "stop_reason": "end_turn",
        },
        "Gemini": {"candidates": [{"content": {"parts": [{"text": "four"}], "role": "model"}, "index": 0,
                                   "finishReason": "STOP"}]},
        "Bedrock": {"output": {"message": {"role": "assistant", "content": [{"text": "four"}]}},
                    "stopReason": "end_turn", "metrics": {"latencyMs": 1}},
    }  # fmt: skip
    chat = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": _CHOICES}
    return {**shapes.get(example.provider, chat), **example.reply}


def _rows(table: str) -> list[str]:
    return [line for line in table.splitlines() if line.startswith("|")][2:]
