"""`GET /v1/models`: the models that a key may name, and `auto`, which is routed."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from tasks.batch_api.errors import NotFound
from tasks.submission.source import accepted_by
from workers.api.context import Call

AUTO = "auto"


def list_models(call: Call) -> Response:
    """Return all models of the key, and the parameters beyond OpenAI's that lines may have."""
    extra = sorted(accepted_by(call.context.settings).parameters)
    return JSONResponse({"object": "list", "data": _models(call), "waybill_extra_params": extra})


def retrieve_model(call: Call) -> Response:
    """Return one model of the key."""
    name = call.path("model")
    for model in _models(call):
        if model["id"] == name:
            return JSONResponse(model)
    raise NotFound("model", name, param="model")


def _models(call: Call) -> list[dict[str, Any]]:
    families = call.context.settings.families
    allowed = [name for name in families if call.key.models is None or name in call.key.models]
    named = [{"id": name, "object": "model", "created": 0, "owned_by": families[name]} for name in allowed]
    return [{"id": AUTO, "object": "model", "created": 0, "owned_by": "waybill"}, *named]
