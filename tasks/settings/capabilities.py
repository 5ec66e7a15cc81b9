"""What the settings say of a model's capabilities, which outranks LiteLLM's list."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, TypeAlias

from pydantic import Field

from tasks.capabilities.capabilities import KINDS, Capabilities
from tasks.settings.listed_capabilities import listed_capabilities
from tasks.settings.sections import Section

#: a number of tokens or inputs, as large as a request may ask for at most
Count: TypeAlias = Annotated[int, Field(gt=0, le=2**31 - 1)]


class CapabilitySettings(Section):
    """The `capabilities` of a model; what is not set is as LiteLLM's price list says, or assumed."""

    #: the most tokens of input, and of output
    context_window: Count | None = None
    max_output: Count | None = None
    #: the parts of messages that it takes
    image: bool | None = None
    audio: bool | None = None
    file: bool | None = None
    video: bool | None = None
    #: what it does and gives
    tools: bool | None = None
    json_schema: bool | None = None
    logprobs: bool | None = None
    audio_output: bool | None = None
    image_output: bool | None = None

    def known(self, litellm_model: str) -> Capabilities:
        """Return what is known of a model: what is set here, else what LiteLLM's list says."""
        listed = listed_capabilities(litellm_model)
        values = {kind: getattr(self, kind) for kind in KINDS}
        denied = {kind for kind, value in values.items() if value is False}
        allowed = {kind for kind, value in values.items() if value}
        return replace(
            listed,
            context_window=self.context_window or listed.context_window,
            max_output=self.max_output or listed.max_output,
            cannot=listed.cannot - allowed | denied,
            can=frozenset(allowed),
        )
