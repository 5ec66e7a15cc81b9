"""Providers whose requests the host's own identity signs (AWS, Google, Oracle) where there is no key."""

from __future__ import annotations

_PROVIDERS = frozenset(
    (
        "bedrock", "bedrock_converse", "gdc", "oci", "sagemaker", "sagemaker_chat", "sagemaker_nova",
        "vertex_ai", "vertex_ai_beta",
    )
)  # fmt: skip


def needs_no_key(litellm_model: str) -> bool:
    """Return whether a model by LiteLLM's string can be called without a key."""
    return litellm_model.partition("/")[0] in _PROVIDERS
