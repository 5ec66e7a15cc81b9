"""What the settings say of a model's capabilities, which outranks LiteLLM's list."""

from __future__ import annotations

from pydantic import Field

from tasks.settings.sections import Section


class CapabilitySettings(Section):
    """The `capabilities` of a model; what is not set is as LiteLLM's price list says, or assumed."""

    #: the most tokens of input, and of output
    context_window: int | None = Field(default=None, gt=0)
    max_output: int | None = Field(default=None, gt=0)
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
