"""The page of operations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from redis import RedisError
from starlette.responses import Response

from tasks.connections.redis_clients import connect
from tasks.errors import SettingsError
from tasks.limits.overview import ModelLoad, model_loads
from tasks.limits.rates import limits_of
from tasks.settings import ModelSettings, Settings
from tasks.store import paused_models, queues
from tasks.store.health import workers
from tasks.store.page import operations
from workers.page.operations.roles import by_role
from workers.page.visit import Visit

_PATIENCE_S = 2.0


def show_operations(visit: Visit) -> Response:
    """Show workers, queues, the load of models, and what is spent."""
    loads, why = _loads(visit.context.settings)
    with visit.store.read() as connection:
        alive, depths = workers.alive(connection), queues.depths(connection)
        values: dict[str, Any] = {
            "workers": alive,
            "lacks_stack": workers.lacks_stack(connection),
            "roles": by_role(alive, depths),
            "queues": depths,
            "paused": paused_models.paused(connection),
            "spending": operations.spending(connection),
            "days": [_day(operations.today(connection) - back) for back in range(operations.DAYS)],
        }
    values |= {"loads": loads, "no_loads": why, "limits": _limits(visit.context.settings)}
    template = "operations_parts.html" if "hx-request" in visit.request.headers else "operations.html"
    return visit.page(template, **values)


def _loads(settings: Settings) -> tuple[list[ModelLoad], str]:
    """Return the load of each model, or else why it is not known."""
    try:
        url = settings.redis_url
    except SettingsError:
        return (
            [],
            "This server knows no Redis ([redis] url), in which workers share limits and circuits.",
        )
    try:
        with connect(url, timeout_s=_PATIENCE_S) as client:
            return model_loads(client, {model.name: limits_of(model) for model in settings.models}), ""
    except (RedisError, OSError) as error:
        return [], f"Redis cannot be read: {type(error).__name__}."


def _limits(settings: Settings) -> dict[str, str]:
    """Return the limits of each model in words."""
    return {model.name: ", ".join(_words(model)) for model in settings.models}


def _words(model: ModelSettings) -> Iterator[str]:
    limits = (
        (model.rpm, "requests/min"),
        (model.tpm, "tokens/min"),
        (model.max_concurrency, "at once"),
    )
    yield from (f"{value:,} {name}" for value, name in limits if value)


def _day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).strftime("%d %b")
