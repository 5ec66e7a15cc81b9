"""The hash by which equal prompts are recognised."""

from __future__ import annotations

import hashlib


def prompt_hash(prompt: str, *, salt: str = "") -> str:
    """Return the SHA-256 of a prompt in hex; case and amount of white space make no difference."""
    normalised = " ".join(prompt.lower().split())
    return hashlib.sha256(f"{salt}\0{normalised}".encode("utf-8", "surrogatepass")).hexdigest()
