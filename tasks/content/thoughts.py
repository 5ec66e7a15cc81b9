"""The parts of an answer's content that are no answer."""

THOUGHT_PARTS = frozenset({"thinking", "reasoning", "redacted_thinking"})
