"""The arguments of `Waybill.submit` and `Waybill.estimate`, as what is to be submitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeAlias, TypedDict, cast

from router_core.policy.preferences import Policy
from tasks.formats.determinism import Dedupe
from tasks.formats.inputs.defaults import Defaults
from tasks.formats.inputs.options import input_options
from tasks.money.budgets import budget_of
from workers.arguments import NOT_CHOSEN, column_of, names_of, param_columns_of, routing_of
from workers.backends.interface import Submission
from workers.batch import Batch
from workers.prompts import Prompts

#: what a batch keeps
_CHOICES: Final = (
    "name", "models", "route_only", "dedupe", "reuse", "reuse_any", "policy", "quality_floor",
    "cost_weight", "budget_per_1000", "fallback", "explore", "validate", "validators", "strict_params",
    "priority",
)  # fmt: skip

#: the name of a column: a data frame's may be a number, or a tuple of several levels
Column: TypeAlias = str | int | tuple[str | int, ...]


class SubmitOptions(TypedDict, total=False):
    """The options of `Waybill.submit`, which says what they mean; `estimate` takes the same."""

    name: str | None
    models: Sequence[str] | str
    budget: float | None
    route_only: bool
    dedupe: bool | Dedupe | None
    reuse: str | timedelta | None
    reuse_any: bool
    policy: Policy | None
    quality_floor: float | None
    cost_weight: float | None
    budget_per_1000: float | None
    fallback: bool
    strict: bool
    explore: float
    validate: str | None
    validators: Sequence[str] | str
    strict_params: bool
    priority: str
    stream: bool
    resume: Batch | str | None
    system: str | None
    temperature: float | None
    max_tokens: int | None
    prompt_column: Column | None
    id_column: Column | None
    system_column: Column | None
    param_columns: Sequence[Column] | str | None
    template: str | None
    shape: str | None
    endpoint: str | None


def submission_of(prompts: Prompts, options: SubmitOptions) -> Submission:
    """Return what is submitted, and how.

    Raises:
        OptionsError: The options contradict each other.
        UsageError: A budget is not above 0, there is no such policy or number of it, or names are no texts.
        TypeError: An option is none.
    """
    if unknown := options.keys() - SubmitOptions.__annotations__.keys():
        raise TypeError(f"unexpected option {min(unknown)!r}")
    names = {name: names_of(name, options.get(name)) for name in ("models", "validators")}
    given = {**NOT_CHOSEN, **cast(Mapping[str, Any], options), **names, **routing_of(options)}
    resume = options.get("resume")
    return Submission(
        prompts=prompts,
        reading=input_options(
            prompt_column=column_of("prompt_column", options.get("prompt_column")),
            id_column=column_of("id_column", options.get("id_column")),
            system_column=column_of("system_column", options.get("system_column")),
            param_columns=param_columns_of(options.get("param_columns")),
            template=options.get("template"),
            shape=options.get("shape"),
            endpoint=options.get("endpoint"),
            models=names["models"],
            defaults=Defaults(options.get("system"), options.get("temperature"), options.get("max_tokens")),
        ),
        choices={name: given.get(name) for name in _CHOICES},
        budget=budget_of(options.get("budget")),
        strict=options.get("strict", False),
        stream=options.get("stream", False),
        resume=resume.id if isinstance(resume, Batch) else resume,
    )
