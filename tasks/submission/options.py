"""The options of a new batch, from the settings and what its user chose."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, get_args

from router_core.policy.preferences import Policy
from tasks.errors import SettingsError, UsageError
from tasks.formats.determinism import Dedupe, dedupe_of
from tasks.formats.periods import seconds_of
from tasks.settings import Settings
from tasks.store.batch_options import BatchOptions
from tasks.store.priorities import NORMAL
from tasks.store.priorities import checked as checked_priority
from tasks.submission.batch_name import checked_name
from tasks.submission.packages import refuse_what_cannot_be_called
from tasks.submission.prices import refuse_unpriced, stored_prices
from tasks.validation.validators import checked, checked_mode

_OTHER_FOLDER: Final = "if that is done, start in that folder, or set WAYBILL_CONFIG or WAYBILL_HOME"


def options_for(
    settings: Settings,
    *,
    name: str | None = None,
    models: Sequence[str] = (),
    route_only: bool = False,
    dedupe: bool | Dedupe | None = None,
    reuse: str | timedelta | None = None,
    reuse_any: bool = False,
    policy: Policy | None = None,
    fallback: bool = True,
    quality_floor: float | None = None,
    cost_weight: float | None = None,
    budget_per_1000: float | None = None,
    explore: float = 0.0,
    validate: str | None = None,
    validators: Sequence[str] = (),
    strict_params: bool = False,
    priority: str = NORMAL,
    routes: bool = True,
) -> BatchOptions:
    """Return the options of a new batch.

    Args:
        name: What people call the batch.
        models: The candidates, a subset of the settings' models; all routed ones if empty.
        dedupe: Which equal requests are answered by one call; by default those that the settings name.
        reuse: How old an answer of an earlier batch to an equal, deterministic request may be to be taken in
            place of a call: `30d`, `12h`; None takes none.
        reuse_any: Whether answers that were drawn at random (temperature above 0, no seed) are taken as well.
        fallback: Whether another model may answer a request that the chosen one cannot.
        explore: The share of routed requests whose model is drawn at random; the other candidates answer them
            as well.
        validate: What becomes of an answer that does not fit: off, flag or retry; by default [dispatch] says.
        validators: The user's own validators: `regex:PATTERN`, `json`, `python-syntax`.
        strict_params: Whether a request goes only to models that take all of its parameters.
        priority: Its share of workers and models beside other batches: low, normal or high.
        routes: Whether a router chooses among the models; collected and judging calls go to each.

    Raises:
        SettingsError: The settings have no models, or one without a price or a package that it needs.
        UsageError: A model is not in the settings, the policy `budget` has no budget or a model without a
            price, or there is no such validator, priority, choice of dedupe or share.
    """
    known = [model.name for model in settings.models]
    if not known:
        raise SettingsError(f"no models: {settings.models_advice}; {_OTHER_FOLDER}")
    unknown = [name for name in models if name not in known]
    if unknown:
        raise UsageError(f"no model {unknown[0]!r} among [[models]]: {', '.join(known)}")
    if not 0 <= explore <= 1:
        raise UsageError("explore is a share, from 0 to 1")
    chosen = dedupe_of(settings.dedupe if dedupe is None else dedupe)
    if chosen not in get_args(Dedupe):
        raise UsageError(f"no dedupe {chosen!r} among {', '.join(get_args(Dedupe))}")
    candidates = tuple(dict.fromkeys(models))
    able = [model for model in settings.models if model.name in candidates] or settings.candidates
    refuse_what_cannot_be_called(able)
    router_settings = settings.router.chosen(
        policy=policy,
        quality_floor=quality_floor,
        cost_weight=cost_weight,
        budget_per_1000=budget_per_1000,
    )
    if routes and router_settings.policy == "budget":
        refuse_unpriced([model.name for model in able if model.known_price is None])
    return BatchOptions(
        name=checked_name(name),
        models=candidates,
        route_only=route_only,
        reuse_s=None if reuse is None else seconds_of(reuse),
        reuse_any=reuse_any,
        dedupe=chosen,
        policy=router_settings.policy,
        quality_floor=router_settings.quality_floor,
        cost_weight=router_settings.cost_weight,
        budget_per_1000=router_settings.budget_per_1000,
        fallback=fallback,
        explore=explore,
        validate=checked_mode(validate or settings.dispatch.validation),
        validators=tuple(dict.fromkeys(map(checked, validators))),
        # No more than a process calls at once: the others would wait in it while other processes are idle.
        group_size=min(settings.dispatch.group_size, settings.dispatch.in_flight),
        # Without a router, or with a single candidate, the vectors would not be used.
        embed=settings.router.path is not None and len(candidates or settings.candidates) > 1,
        deployments={model.name: model.litellm for model in settings.models},
        strict_params=strict_params,
        priority=checked_priority(priority),
        capabilities={model.name: model.known_capabilities.as_row() for model in settings.models},
        **stored_prices(settings),
    )
