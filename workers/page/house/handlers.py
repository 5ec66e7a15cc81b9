"""The page of the house."""

from __future__ import annotations

from datetime import UTC, datetime

from redis import Redis, RedisError
from starlette.responses import Response

from tasks.errors import SettingsError
from tasks.limits.overview import ModelLoad, model_loads
from tasks.settings import Settings
from tasks.store import paused_models
from tasks.store.health import workers
from tasks.store.page import house
from workers.page.visit import Visit

_PATIENCE_S = 2.0


def show_house(visit: Visit) -> Response:
    """Show workers, queues, the load of models, and what is spent."""
    loads, why = _loads(visit.context.settings)
    with visit.store.read() as connection:
        values = {
            "workers": workers.alive(connection),
            "queues": house.queues(connection),
            "paused": paused_models.paused(connection),
            "spending": house.spending(connection),
            "days": [_day(house.today(connection) - back) for back in range(house.DAYS)],
        }
    template = "house_parts.html" if "hx-request" in visit.request.headers else "house.html"
    return visit.page(template, loads=loads, no_loads=why, limits=_limits(visit.context.settings), **values)


def _loads(settings: Settings) -> tuple[list[ModelLoad], str]:
    """Return the load of each model, or else why it is not known."""
    try:
        url = settings.redis_url
    except SettingsError:
        return (
            [],
            "This server knows no Redis ([redis] url), in which workers share rate limits and circuits.",
        )
    try:
        with Redis.from_url(url, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S) as client:
            return model_loads(client, {model.name: model.limits for model in settings.models}), ""
    except RedisError as error:
        return [], f"Redis cannot be read: {type(error).__name__}."


def _limits(settings: Settings) -> dict[str, str]:
    """Return the limits of each model in words."""
    return {
        model.name: ", ".join(
            f"{value:,} {name}"
            for value, name in (
                (model.rpm, "requests/min"),
                (model.tpm, "tokens/min"),
                (model.max_concurrency, "at once"),
            )
            if value
        )
        for model in settings.models
    }


def _day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).strftime("%d %b")
