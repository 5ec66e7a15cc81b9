"""Providers whose key may stand in the environment, each with a small model and a large one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tasks.errors import UsageError


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that `waybill init` offers: LiteLLM's string, and the variable of its key, if it needs one."""

    litellm: str
    key_variable: str | None

    @property
    def name(self) -> str:
        """What it is called in the settings: its name at the provider."""
        return self.litellm.rpartition("/")[2]


#: LiteLLM's strings by the variable of the key; a test looks their prices up in LiteLLM's list
MODELS: Final[Mapping[str, tuple[str, ...]]] = {
    "OPENAI_API_KEY": ("openai/gpt-5.6-luna", "openai/gpt-5.6-terra"),
    "ANTHROPIC_API_KEY": ("anthropic/claude-haiku-4-5", "anthropic/claude-sonnet-5-5"),
    "GEMINI_API_KEY": ("gemini/gemini-2.5-flash-lite", "gemini/gemini-3.8-flash"),
    "DEEPSEEK_API_KEY": ("deepseek/deepseek-v4-flash",),
    "PERPLEXITYAI_API_KEY": ("perplexity/sonar",),
    "MISTRAL_API_KEY": ("mistral/mistral-small-latest", "mistral/mistral-large-latest"),
    "XAI_API_KEY": ("xai/grok-4.7",),
}


def found_keys(environment: Mapping[str, str]) -> list[str]:
    """Return the variables of known providers that are set; never their values."""
    return [name for name in MODELS if environment.get(name, "").strip()]


def models_of(variables: list[str]) -> list[KnownModel]:
    """Return the models that these variables' keys open."""
    return [KnownModel(model, variable) for variable in variables for model in MODELS[variable]]


def model_named(litellm: str) -> KnownModel:
    """Return a model by LiteLLM's string, with the variable that its provider's key usually has.

    Raises:
        UsageError: The string names no provider.
    """
    from tasks.providers.direct_models import usual_key_variable
    from tasks.providers.signed_requests import needs_no_key

    if "/" not in litellm:
        raise UsageError(f"{litellm!r} names no provider{_meant(litellm)}")
    if needs_no_key(litellm):
        return KnownModel(litellm, None)
    known = {model: variable for variable, models in MODELS.items() for model in models}
    provider = litellm.partition("/")[0]
    same = (variable for model, variable in known.items() if model.partition("/")[0] == provider)
    variable = known.get(litellm) or next(same, None) or usual_key_variable(litellm)
    return KnownModel(litellm, variable or f"{provider.upper().replace('-', '_')}_API_KEY")


def without_price(models: Iterable[KnownModel]) -> list[str]:
    """Return the models that LiteLLM's list has no price of; none where there is no such list."""
    from tasks.settings.price_list import listed_names, listed_price

    return [one.litellm for one in models if listed_price(one.litellm) is None] if listed_names() else []


def _meant(name: str) -> str:
    """Return the models of known providers that are called so, as a question."""
    from tasks.settings.price_list import listed_entry

    providers = dict.fromkeys(model.partition("/")[0] for models in MODELS.values() for model in models)
    listed = [f"{one}/{name}" for one in providers if listed_entry(f"{one}/{name}")]
    return (
        f"; did you mean {' or '.join(listed)}?"
        if listed
        else ": write PROVIDER/MODEL, as openai/gpt-4o-mini"
    )
