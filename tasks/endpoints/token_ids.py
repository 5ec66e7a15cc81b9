"""Prompts that are given as token ids instead of text."""

from __future__ import annotations


def are_token_ids(value: object) -> bool:
    """Return whether the value is a list of token ids, which may be empty."""
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)
