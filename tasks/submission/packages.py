"""Whether the packages are here that the candidates of a batch need."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.errors import SettingsError
from tasks.providers.required_packages import missing_for
from tasks.settings import ModelSettings


def refuse_what_cannot_be_called(candidates: Iterable[ModelSettings]) -> None:
    """Refuse a model that LiteLLM cannot call here: each of its requests would end as an internal error.

    Raises:
        SettingsError: A package is missing; the message names it.
    """
    for model in candidates:
        reason = None if model.transport == "direct" else missing_for(model.litellm)
        if reason is not None:
            raise SettingsError(f"model {model.name!r}: {reason}")
