"""Checks of the models: prices, providers and keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from tasks.providers.direct_models import always_needs_litellm, usual_key_variable, variable_in_the_way
from tasks.providers.required_packages import missing_for
from tasks.providers.signed_requests import needs_no_key
from tasks.settings import ModelSettings, Settings
from tasks.settings.price_list import listed_names, listed_providers, names_provider
from tasks.stages.dispatch.call import deployment_of
from tasks.store import paused_models
from tasks.store.engine import Store
from tasks.store.health import model_errors
from workers.doctor.finding import Finding, Level
from workers.views.health import RECENT_S, error_text, needs_care

#: how alike a name must be to be named, 0 to 1
_NEARNESS = 0.85


def at_start(settings: Settings) -> list[Finding]:
    """Return what would fail at the first call of a model, to be said before there is one."""
    found = [*keys(settings), *(one for model in settings.models for one in provider(model))]
    return [one for one in found if one.level is not Level.OK]


def models(settings: Settings) -> Iterator[Finding]:
    """Yield whether there are models, what they cost, and whether their providers can be called."""
    if not settings.models:
        yield Finding("models", Level.FAIL, "none configured", settings.models_advice)
        return
    yield Finding("models", Level.OK, _models_text(settings.models))
    for model in settings.models:
        yield from _price(model)
        yield from provider(model)


def held(settings: Settings) -> Iterator[Finding]:
    """Yield the models that no worker calls now, or whose last calls failed for what only people can mend."""
    store = Store(settings.store_url)
    try:
        with store.read() as connection:
            paused = paused_models.paused(connection)
            recent = model_errors.recent(connection, RECENT_S)
    finally:
        store.close()
    for row in paused:
        advice = "`waybill status BATCH` says until when, and what waits for it"
        yield Finding("models", Level.FAIL, f"{row['model']} is paused: {row['reason']}", advice)
    named = {row["model"] for row in paused}
    for error in recent:
        if needs_care(error) and error.model not in named:
            yield Finding("models", Level.FAIL, error_text(error))


def _price(model: ModelSettings) -> Iterator[Finding]:
    advice = "set its input_price and output_price: budgets, estimates and the router need them"
    price = model.known_price
    if price is None:
        level = Level.WARN if model.allow_unpriced else Level.FAIL
        yield Finding("models", level, f"the price of {model.name} is not known", advice)
    elif price.input_per_million == price.output_per_million == 0:
        yield Finding("models", Level.WARN, f"{model.name} costs nothing", advice)
    elif model.input_price is None:
        shown = f"${price.input_per_million:g} in, ${price.output_per_million:g} out per million tokens"
        yield Finding("models", Level.OK, f"{model.name}: {shown}, by LiteLLM's price list")


def provider(model: ModelSettings) -> Iterator[Finding]:
    """Yield what keeps the provider of a model from being called."""
    named, slash, _ = model.litellm.partition("/")
    if not names_provider(model.litellm):
        near = _nearest(model.litellm, listed_names())
        text = f"{model.name}: litellm = {model.litellm!r} names no provider{near}"
        yield Finding("models", Level.FAIL, text, f'write PROVIDER/NAME, such as "openai/{model.litellm}"')
    elif slash and named not in listed_providers() and (near := _nearest(named, listed_providers())):
        text = f"{model.name}: LiteLLM lists no provider {named!r}{near}"
        yield Finding("models", Level.WARN, text, "correct its litellm")
    reason = None if model.transport == "direct" else missing_for(model.litellm)
    if reason is not None:
        yield Finding("models", Level.FAIL, f"{model.name}: {reason}", "on every host of dispatch workers")


def _models_text(models: Iterable[ModelSettings]) -> str:
    """Return the models by the way that their requests go, each way once."""
    by_way: dict[str, list[str]] = {}
    for model in models:
        by_way.setdefault(_way(model), []).append(model.name)
    return ", ".join(f"{', '.join(names)} ({way})" for way, names in by_way.items())


def _way(model: ModelSettings) -> str:
    """Return which way the requests to a model go."""
    deployment = deployment_of(model)
    if model.transport != "auto":
        return "LiteLLM" if model.transport == "litellm" else "direct"
    if variable := variable_in_the_way(deployment):
        return f"LiteLLM, because ${variable} is set"
    if always_needs_litellm(deployment):
        return "LiteLLM"
    return "direct; LiteLLM for what is not plain"


def keys(settings: Settings) -> Iterator[Finding]:
    """Yield for each model whether its key is in this environment; no key is shown."""
    for model in settings.models:
        if model.api_key_env is None:
            if model.api_base is None and not needs_no_key(model.litellm):
                usual = usual_key_variable(model.litellm)
                advice = f"set its api_key_env, for example to {usual}" if usual else "set its api_key_env"
                yield Finding("keys", Level.WARN, f"{model.name} names no key", advice)
        elif model.api_key() is None:
            advice = "set it where dispatch workers run"
            yield Finding("keys", Level.WARN, f"${model.api_key_env} is not set here ({model.name})", advice)
        else:
            yield Finding("keys", Level.OK, f"${model.api_key_env} is set ({model.name})")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1, cutoff=_NEARNESS)
    return f"; did you mean {near[0]!r}?" if near else ""
