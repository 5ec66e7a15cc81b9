"""The present behaviour of the models: the configuration and the changes that tests made since."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from workers.simulator.config import ModelProfile
from workers.simulator.errors import SimulatorConfigError
from workers.simulator.limits import RateLimit
from workers.simulator.loading import parse_failures, parse_judging

CHANGEABLE = frozenset(
    {"failures", "judging", "latency_ms", "hold", "rpm", "tpm", "limit_burst_s", "api_key"}
)
_EVERY_MODEL = "*"


class Behaviour:
    """The present profile and rate limit of each model."""

    def __init__(self, models: tuple[ModelProfile, ...]) -> None:
        self._profiles = {model.name: model for model in models}
        self._limits = {model.name: _limit_of(model) for model in models}

    def __contains__(self, name: str) -> bool:
        return name in self._profiles

    def __iter__(self) -> Iterator[str]:
        return iter(self._profiles)

    def get(self, name: str) -> ModelProfile | None:
        """Return the profile of a model, or None where there is no such model."""
        return self._profiles.get(name)

    def limit(self, name: str) -> RateLimit:
        """Return the rate limit of a model that exists."""
        return self._limits[name]

    def change(self, request: object) -> None:
        """Apply `{"model": NAME or "*", OPTION: VALUE, …}`; raises SimulatorConfigError if it is wrong."""
        if not isinstance(request, dict):
            raise SimulatorConfigError("a change of behaviour must be a JSON object")
        changes = {option: value for option, value in request.items() if option != "model"}
        if unknown := sorted(set(changes) - CHANGEABLE):
            raise SimulatorConfigError(
                f"cannot change {unknown[0]!r}; can change: {', '.join(sorted(CHANGEABLE))}"
            )
        if "failures" in changes:
            changes["failures"] = parse_failures(changes["failures"])
        if "judging" in changes:
            changes["judging"] = parse_judging(changes["judging"])
        for name in self._named(request.get("model")):
            self._apply(name, changes)

    def _named(self, model: object) -> list[str]:
        if model == _EVERY_MODEL:
            return list(self._profiles)
        if model not in self._profiles:
            raise SimulatorConfigError(f"no model {model!r}; there are: {', '.join(self._profiles)}")
        return [str(model)]

    def _apply(self, name: str, changes: dict[str, Any]) -> None:
        profile = replace(self._profiles[name], **changes)
        self._profiles[name] = profile
        if {"rpm", "tpm", "limit_burst_s"} & set(changes):
            self._limits[name] = _limit_of(profile)


def _limit_of(model: ModelProfile) -> RateLimit:
    return RateLimit(model.rpm, model.tpm, model.limit_burst_s)
