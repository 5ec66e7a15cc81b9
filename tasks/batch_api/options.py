"""Waybill's own options of a batch, which travel in its metadata as `waybill_…` pairs of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from router_core.policy.preferences import POLICIES
from tasks.api_keys.keys import PRIORITIES
from tasks.batch_api.errors import ApiError
from tasks.errors import UsageError
from tasks.formats.periods import seconds_of
from tasks.money.budgets import budget_of
from tasks.settings import Settings
from tasks.store.api.keys import Key
from tasks.store.batch_options import BatchOptions
from tasks.submission.batch_name import checked_name
from tasks.submission.options import options_for

_PREFIX: Final = "waybill_"
_MIN_WINDOW_S, _MAX_WINDOW_S = 3600, 7 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """The options of a batch of the API; those that are None are for the settings to say.

    Attributes:
        partial: Whether valid lines go on where others are not.
        budget: Micro-dollars that the batch may cost.
        window_s: How long it may take.
        choices: Arguments of `tasks.submission.options.options_for`.
    """

    partial: bool
    budget: int | None
    window_s: float
    priority: str | None
    choices: Mapping[str, Any]


def api_options(metadata: Mapping[str, str], completion_window: str) -> ApiOptions:
    """Return the options in the metadata of a batch; raises ApiError for one that is unknown or wrong."""
    values = {name: _value(name, text) for name, text in metadata.items() if name.startswith(_PREFIX)}
    deadline = values.pop("waybill_deadline", None)
    window_s = deadline if deadline is not None else _window(completion_window, "completion_window")
    budget = values.pop("waybill_budget_usd", None)
    return ApiOptions(
        partial=values.pop("waybill_partial", False),
        budget=budget,
        window_s=window_s,
        priority=values.pop("waybill_priority", None),
        choices={name.removeprefix(_PREFIX): value for name, value in values.items()},
    )


def batch_options(settings: Settings, key: Key, options: ApiOptions) -> BatchOptions:
    """Return the options of the batch that a key submits; raises ApiError where they contradict each other.

    Where the key may use some models only, these are the candidates, and no others can be named.
    """
    choices = dict(options.choices)
    asked = choices.pop("models", ())
    if key.models is not None:
        denied = [name for name in asked if name not in key.models]
        if denied:
            raise ApiError(f"the key may not use {denied[0][:80]!r}", param="metadata.waybill_models")
        known = {model.name for model in settings.models}
        asked = asked or tuple(name for name in key.models if name in known)
        if not asked:  # no candidates would mean all of them
            raise ApiError("none of the key's models is offered any more", code="model_not_found")
    try:
        return options_for(settings, models=asked, priority=options.priority or key.priority, **choices)
    except UsageError as error:
        raise ApiError(str(error), param="metadata") from None


def _value(name: str, text: str) -> Any:
    if name not in _READERS:
        known = ", ".join(sorted(_READERS))
        raise ApiError(f"there is no option {name[:64]!r}: {known}", param=f"metadata.{name[:64]}")
    try:
        return _READERS[name](text)
    except (ValueError, UsageError) as error:
        reason = str(error) if isinstance(error, UsageError | _Wrong) else "is not a number"
        raise ApiError(f"{name}: {reason}", param=f"metadata.{name}") from None


class _Wrong(ValueError):
    """A value that an option cannot have."""


def _flag(text: str) -> bool:
    return _one_of("true", "false")(text) == "true"


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise _Wrong(f"{text[:40]!r} is none of {', '.join(choices)}")
        return text

    return read


def _number(most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not 0 <= value <= most:  # NaN is not, either
            raise _Wrong(f"it must be from 0 to {most:g}")
        return value

    return read


def _budget(text: str) -> int | None:
    try:
        return budget_of(float(text))
    except UsageError as error:
        raise _Wrong(str(error)) from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _window(text: str, param: str) -> float:
    try:
        seconds = seconds_of(text)
    except UsageError as error:
        raise ApiError(str(error), param=param) from None
    if not _MIN_WINDOW_S <= seconds <= _MAX_WINDOW_S:
        raise ApiError(f"{param} must be from 1h to 7d", param=param)
    return seconds


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "waybill_partial": _flag,
    "waybill_budget_usd": _budget,
    "waybill_deadline": lambda text: _window(text, "metadata.waybill_deadline"),
    "waybill_priority": _one_of(*PRIORITIES),
    "waybill_models": _names,
    "waybill_name": checked_name,
    "waybill_policy": _one_of(*POLICIES),
    "waybill_quality_floor": _number(1e9),
    "waybill_cost_weight": _number(1e9),
    "waybill_budget_per_1000": _number(1e9),
    "waybill_explore": _number(1),
    "waybill_fallback": _flag,
    "waybill_dedupe": _one_of("all", "deterministic", "off"),
    "waybill_reuse": lambda text: text if seconds_of(text) else None,
    "waybill_reuse_any": _flag,
    "waybill_strict_params": _flag,
    "waybill_validate": _one_of("off", "flag", "retry"),
}
