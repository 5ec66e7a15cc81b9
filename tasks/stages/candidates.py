"""The candidates of a batch, and the default model without a router."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.settings import ModelSettings, Settings
from tasks.store.batch_options import BatchOptions


def candidates(settings: Settings, options: BatchOptions) -> list[ModelSettings]:
    """Return the models that a batch may use, at the prices of its submission.

    These are the models that the batch names, or else all models that prompts may be routed to.
    """
    allowed = [m for m in settings.models if (m.name in options.models if options.models else m.is_candidate)]
    return [_priced(model, options) for model in allowed]


def has_choice(settings: Settings, options: BatchOptions) -> bool:
    """Return whether there are several candidates; otherwise, no prompt of the batch needs embedding."""
    return len(candidates(settings, options)) > 1


def _priced(model: ModelSettings, options: BatchOptions) -> ModelSettings:
    price = options.price(model.name)
    return model if price is None else model.at_price(price)


def allowed_models(left_out: Sequence[Collection[str]], names: Sequence[str]) -> npt.NDArray[np.bool_] | None:
    """Return which models can answer each request, bool [n, m]; None where all can answer all.

    Args:
        left_out: The names of the models that cannot answer each request.
        names: The models.
    """
    if not any(left_out):
        return None
    return np.array([[name not in one for name in names] for one in left_out], dtype=np.bool_)


def default_model(settings: Settings, models: Sequence[ModelSettings]) -> str:
    """Return the model to use without a router: the default model of the settings, or the cheapest."""
    named = settings.router.default_model
    if named is not None and any(model.name == named for model in models):
        return named
    return names_by_price(models)[0]


def names_by_price(models: Sequence[ModelSettings]) -> list[str]:
    """Return the names of the models, the cheapest first; those without chat completions come last."""
    return [model.name for model in sorted(models, key=_chat_price_and_name)]


def _chat_price_and_name(model: ModelSettings) -> tuple[bool, float, str]:
    price = model.known_price
    dollars = price.input_per_million + price.output_per_million if price else math.inf
    return CHAT_PATH not in model.offered_endpoints, dollars, model.name
