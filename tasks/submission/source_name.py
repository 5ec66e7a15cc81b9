"""The name of an input, as people see it."""

from __future__ import annotations

from tasks.store.batches import PYTHON


def shown(source: str) -> str:
    """Return the name of an input as messages show it."""
    return "the list of prompts" if source == PYTHON else source
