"""The estimate of a server, as the one of a store is, with the bad lines that it was not sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from router_core.monitoring.familiarity import Familiarity
from tasks.formats.requests import InputError
from tasks.submission.estimate import BAD_LINES
from tasks.submission.estimate_values import Estimate, Mix, ModelEstimate
from workers.backends.interface import OnError


def estimate_of(answer: Mapping[str, Any], errors: Sequence[InputError], on_error: OnError) -> Estimate:
    """Return the estimate that a server answers.

    Args:
        answer: The answer.
        errors: The bad lines that were left out here.
        on_error: Gets the bad lines that only the server found, as far as it names them: the first.
    """
    found = [InputError(**one) for one in answer["bad_lines"]]
    for one in found:
        on_error(one)
    bad = [*errors, *found]
    return Estimate(
        requests=answer["requests"],
        duplicates=answer["duplicates"],
        invalid=dict(Counter(answer["invalid"]) + Counter(error.code for error in errors)),
        input_tokens=answer["input_tokens"],
        models=tuple(map(_model, answer["models"])),
        mix=_mix(answer["mix"]),
        extra_calls=answer["extra_calls"],
        dropped=answer["dropped"],
        random_duplicates=answer["random_duplicates"],
        bad_lines=tuple(sorted(bad, key=lambda error: error.line)[:BAD_LINES]),
        router=answer["router"],
        best_single=answer["best_single"],
        # A server of an earlier version names neither.
        warnings=tuple(answer.get("warnings", ())),
        policy=answer.get("policy", ""),
    )


def _model(found: Mapping[str, Any]) -> ModelEstimate:
    tokens = found["answer_tokens"]
    return ModelEstimate(
        found["model"],
        found["cost_usd"],
        found["worst_usd"],
        None if tokens is None else tuple(tokens),
        found.get("assumed_tokens"),
    )


def _mix(found: Mapping[str, Any] | None) -> Mix | None:
    if found is None:
        return None
    known = found["familiarity"]
    familiarity = None if known is None else Familiarity(known["familiar"], known["unfamiliar"])
    scores = found.get("score"), found.get("best_single_score")
    return Mix(found["models"], found["cost_usd"], found["worst_usd"], familiarity, *scores)
