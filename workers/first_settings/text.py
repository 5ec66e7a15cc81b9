"""The text of a first `waybill.toml`: the models that were chosen, and what else may be set, in comments."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from workers.first_settings.providers import KnownModel

_HEAD = """\
# Waybill's settings, written by `waybill init`. All keys: docs/settings.md and deploy/waybill.example.toml.
# Keys of providers stay in the environment; this file only names the variables.

# Where the local stack keeps its database, logs and vectors.
home = ".waybill"
"""
_BUDGET = """\
# What a batch of the command or of Python may cost at most, in dollars, if it names no budget of its own
# (`--budget`, `budget=`); batches of the API have those of their keys (`waybill keys create --budget-day`).
"""
_REST = """
# Until `waybill train` has made a router, every prompt goes to the cheapest model, or to this one.
# [router]
# default_model = {first}
# path = "router"

# Models that compare answers, so that a router can be trained without labels of your own: docs/learning.md.
# [judge]
# models = [{first}]

# Prompts and answers are deleted this many days after the end of their batch.
# [retention]
# days = 30

# Several hosts share one database and one Redis: docs/howto/team.md.
# [store]
# url = "postgresql://waybill@db.example.com:5432/waybill"
# [redis]
# url = "redis://redis.example.com:6379/0"
"""
_LIMITS = """\
# rpm = 500       # your account's limits, shared by all workers; without them
# tpm = 200000    # the first minute may be spent on refusals
"""


def first_settings(models: Sequence[KnownModel], *, budget: float | None) -> str:
    """Return the text; each model is a table of `[[models]]`, with the variable of its key."""
    cap = f"budget = {budget!r}" if budget is not None else "# budget = 5"
    names = _names(models)
    tables = "".join(map(_table, models, names))
    return f"{_HEAD}\n{_BUDGET}{cap}\n{tables}{_REST.format(first=json.dumps(names[0]))}"


def _names(models: Sequence[KnownModel]) -> list[str]:
    """Return what models are called: their names at the provider, or with it where two would be called so."""
    counts = Counter(model.name for model in models)
    return [model.name if counts[model.name] == 1 else model.litellm.replace("/", "-") for model in models]


def _table(model: KnownModel, name: str) -> str:
    variable = model.key_variable
    key = "" if variable is None else f"api_key_env = {json.dumps(variable)}\n"
    return f"\n[[models]]\nname = {json.dumps(name)}\nlitellm = {json.dumps(model.litellm)}\n{key}{_LIMITS}"
