"""Decisions of a router as values that can be compared, so that a failure shows which prompts differ."""

from __future__ import annotations

from router_core.decisions import Decisions


def decided(decisions: Decisions) -> dict[int, tuple[str, str | None, str]]:
    """Return model, category and reason of each decision, by the prompt's row."""
    return {
        row: (decisions.model(row), decisions.category_name(row), decisions.reason_name(row))
        for row in range(len(decisions))
    }


def chosen(decisions: Decisions) -> dict[int, str]:
    """Return the model of each decision, by the prompt's row."""
    return {row: decisions.model(row) for row in range(len(decisions))}
