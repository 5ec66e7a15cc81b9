"""Inputs of endpoints without messages: texts, or token ids in their place."""

from collections.abc import Iterable
from typing import TypeAlias

from workers.simulator.requests import count_tokens

TextOrIds: TypeAlias = str | list[int]


def tokens_of(given: TextOrIds) -> int:
    """Return the tokens of one input."""
    return count_tokens(given) if isinstance(given, str) else len(given)


def all_text(inputs: Iterable[TextOrIds]) -> str:
    """Return the texts among the inputs, a line each."""
    return "\n".join(one for one in inputs if isinstance(one, str))
