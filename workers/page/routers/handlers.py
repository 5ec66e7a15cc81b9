"""The page of routers: each version, the canary beside the champion, and changes of roles."""

from __future__ import annotations

import math

from starlette.responses import Response

from router_core.evaluation.shift_estimates import shift_notes
from router_core.monitoring.canary_verdict import ENOUGH, signals
from tasks.batch_api.errors import ApiError, NotFound
from tasks.errors import UsageError
from tasks.store.api import audit
from tasks.store.routers import canary_stats, drift, roles, versions
from workers.page.routers.curves import plots_of
from workers.page.visit import Visit
from workers.routers import promotion
from workers.views.batch_report import advice, drift_text
from workers.views.canary import count_rows, signal_texts, verdict_of

_MAX_SHARE = 0.9


def show_routers(visit: Visit) -> Response:
    """Show the routers of the store."""
    with visit.store.read() as connection:
        stored = versions.list_versions(connection)
        current = roles.read(connection)
        running = canary_stats.read(connection)
        events = roles.events(connection)
        drifts = drift.newest(connection)
        at_work = [one.version for one in stored if one.role is not None]
        plots = {version: plots_of(versions.manifest_of(connection, version)) for version in at_work}
    return visit.page(
        "routers.html",
        stored=[(one, shift_notes(one.figures)) for one in stored],
        plots=plots,
        roles=current,
        running=running,
        counts=count_rows(running) if running else (),
        signals=[(one, signal_texts(one)) for one in signals(running.canary, running.champion)]
        if running
        else [],
        verdict=verdict_of(running) if running else "",
        enough=ENOUGH,
        events=events,
        drifts=[(one, drift_text(one), advice(one)) for one in drifts],
        done=visit.request.query_params.get("done", ""),
    )


def show_curves(visit: Visit) -> Response:
    """Show the curves of one version."""
    with visit.store.read() as connection:
        try:
            version = versions.find(connection, visit.path("version")).version
        except UsageError:
            raise NotFound("router", visit.path("version")) from None
        plots = plots_of(versions.manifest_of(connection, version))
    return visit.page("router.html", version=version, plots=plots)


def change_roles(visit: Visit) -> Response:
    """Promote a version, start it as the canary, or roll back."""
    action = visit.path("action")
    if action == "rollback":
        with visit.store.write() as connection:
            subject = roles.roll_back(connection, reason="asked on the page")
    elif action in ("promote", "canary"):
        with visit.store.read() as connection:
            subject = versions.find(connection, visit.form.get("version", "")).version
        share = _share(visit.form.get("share", "")) if action == "canary" else None
        promotion.promote(visit.store, visit.context.settings, subject, canary=share)
    else:
        raise NotFound("action", action[:40])
    with visit.store.write() as connection:
        name = "router.roll_back" if action == "rollback" else "router.promote"
        audit.note(connection, name, subject or "none", owner=audit.OPERATOR, actor=visit.key.id)
    return visit.to(f"/routers?done={action}")


def _share(text: str) -> float:
    """Return the canary's share of the requests, which a form gives in percent."""
    try:
        share = float(text) / 100
    except ValueError:
        share = math.nan
    if not 0 < share <= _MAX_SHARE:  # NaN is not, either
        raise ApiError(f"the share must be above 0 and at most {_MAX_SHARE:.0%}", param="share")
    return share
