"""Checks of the learning loop: the judges, drift of the prompts, and requests that no model can answer."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.settings import ModelSettings, Settings
from tasks.store import unconfigured_models
from tasks.store.engine import Store
from tasks.store.routers.drift import newest
from workers.doctor.finding import Finding, Level
from workers.views import batch_report

#: Fewer judges cannot be weighed: of two that differ, either may be wrong.
_RELIABLE_JUDGES = 3


def judges(settings: Settings) -> Iterator[Finding]:
    """Check that each judge is one of the models and has a price and a key."""
    known = {model.name: model for model in settings.models}
    named = settings.judge.models
    if not named:
        advice = "name one to five of [[models]] in [judge] models, or `waybill judge --judges`"
        yield Finding("judge", Level.OK, "none named: nothing is judged", advice)
        return
    missing = [name for name in named if name not in known]
    for name in missing:
        yield Finding("judge", Level.FAIL, f"no model {name!r} among [[models]]", "correct [judge] models")
    repeated = sorted({name for name in named if named.count(name) > 1})
    for name in repeated:
        yield Finding("judge", Level.FAIL, f"{name} is named twice", "name it once in [judge] models")
    for name in dict.fromkeys(named):
        if name in known:
            yield from _price_and_key(known[name])
    if not missing and not repeated:
        few = len(named) < _RELIABLE_JUDGES
        advice = "with three or more, judges are weighed by how reliable they are" if few else ""
        yield Finding("judge", Level.OK, ", ".join(named), advice)


def drift(settings: Settings) -> Iterator[Finding]:
    """Check the drift of the newest batch that a router has routed."""
    store = Store(settings.store_url)
    try:
        with store.read() as connection:
            found = newest(connection)
    finally:
        store.close()
    for one in found:
        advice = batch_report.advice(one)
        level = Level.WARN if advice else Level.OK
        yield Finding("drift", level, f"{one.batch_id}: {batch_report.drift_text(one)}", advice)


def waiting_requests(settings: Settings) -> Iterator[Finding]:
    """Check for requests that wait for a model which is no longer in the settings."""
    store = Store(settings.store_url)
    try:
        with store.read() as connection:
            waiting = unconfigured_models.waiting(connection, [model.name for model in settings.models])
    finally:
        store.close()
    for name, number in waiting.items():
        text = f"{number} requests wait for {name}, which is not among [[models]]"
        advice = "upkeep reroutes those that did not name it; add it again, or `waybill cancel` their batch"
        yield Finding("models", Level.WARN, text, advice)


def _price_and_key(model: ModelSettings) -> Iterator[Finding]:
    if model.known_price is None:
        advice = "set its input_price and output_price: no budget can hold without"
        level = Level.WARN if model.allow_unpriced else Level.FAIL
        yield Finding("judge", level, f"the price of {model.name} is not known", advice)
    if model.api_key_env is not None and model.api_key() is None:
        advice = "set it where dispatch workers run"
        yield Finding("judge", Level.WARN, f"${model.api_key_env} is not set here ({model.name})", advice)
    elif model.api_key_env is None and model.api_base is None:
        yield Finding("judge", Level.WARN, f"{model.name} names no key", "set its api_key_env")
