"""The models that are left out for a request, because they cannot answer it."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.capabilities.capabilities import (
    CONTEXT_WINDOW,
    Capabilities,
    Demand,
    explanation_of,
    obstacle,
    probably_fits,
)


def left_out(demand: Demand, models: Mapping[str, Capabilities]) -> dict[str, str]:
    """Return the models that are left out for a request, each with the reason.

    A request that is probably too long for a model goes to one that it probably fits, if there is one;
    otherwise, where nothing is certain, the model may try.
    """
    denied = dict(demand.denied)
    reasons = {
        name: reason for name, one in models.items() if (reason := obstacle(demand, one) or denied.get(name))
    }
    able = models.keys() - reasons.keys()
    fitting = {name for name in able if probably_fits(demand, models[name])}
    too_long = able - fitting if fitting else frozenset()
    return {
        name: reason
        for name in models
        if (reason := CONTEXT_WINDOW if name in too_long else reasons.get(name))
    }


def refusal(reasons: Mapping[str, str], *, named: bool) -> str:
    """Return, for people, why none of these models can answer; `named`: the request asks for this one."""
    parts = ", ".join(f"{name} {explanation_of(reason)}" for name, reason in reasons.items())
    return f"the model {parts}" if named else f"no model can answer it: {parts}"
