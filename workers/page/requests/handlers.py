"""A request found by its custom_id, and the explanation of its routing; for the owner of its batch only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tasks.batch_api.errors import NotFound
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.endpoints.registry import ENDPOINTS
from tasks.store.page import request_facts
from tasks.store.page.request_facts import RequestFacts
from workers.api.child import ask
from workers.page.batches import view
from workers.page.batches.view import BatchView
from workers.page.visit import Visit

_MAX_ID = 512
#: how much of a text is shown; the files of the batch hold all of it
_MAX_TEXT = 200_000


@dataclass(frozen=True, slots=True)
class Texts:
    """The prompt and the answer of a request, and both as JSON."""

    prompt: str
    answer: str | None
    request_json: str
    answer_json: str | None


def show_request(visit: Visit) -> Response:
    """Show a request of the visitor's own batch."""
    batch, custom_id = _own_batch(visit), _custom_id(visit)
    number = batch.row["run_no"]
    with visit.store.read() as connection:
        facts = request_facts.find(connection, number, custom_id)
        bad = request_facts.bad_line(connection, number, custom_id) if facts is None else None
    if facts is None and bad is None:
        raise NotFound("request", custom_id)
    texts = _texts(facts, batch) if facts else None
    return visit.page("request.html", batch=batch, custom_id=custom_id, facts=facts, bad=bad, texts=texts)


async def show_explanation(visit: Visit) -> Response:
    """Show why the router chose as it did."""
    batch = await run_in_threadpool(_own_batch, visit)
    asked = {"batch_no": batch.row["run_no"], "custom_id": _custom_id(visit)}
    explanation = await ask(
        visit.request, "workers.page.requests.explainer", asked, turn=visit.context.loading.of(visit.key.id)
    )
    return visit.page("explanation.html", explanation=explanation)


def _own_batch(visit: Visit) -> BatchView:
    """Return the batch whose texts the visitor may read; raises NotFound for any other."""
    batch_id = visit.path("batch_id")
    with visit.store.read() as connection:
        batch = view.read(connection, visit.key, batch_id)
    if not batch.is_own or not batch.is_stored:
        raise NotFound("batch", batch_id)
    return batch


def _custom_id(visit: Visit) -> str:
    return visit.request.query_params.get("custom_id", "")[:_MAX_ID]


def _texts(facts: RequestFacts, batch: BatchView) -> Texts | None:
    """Return the texts of a request; None where they were deleted."""
    state = batch.progress
    if not facts.row["body"] or (state is not None and state.data_deleted_at is not None):
        return None
    endpoint = ENDPOINTS[facts.row["endpoint"] or CHAT_PATH]
    body, reply = json.loads(facts.row["body"]), facts.answer
    return Texts(
        prompt=_cut(endpoint.question_of(body)),
        answer=None if reply is None else _cut(_text_of(endpoint.as_completion(reply))),
        request_json=_cut(_pretty(body)),
        answer_json=None if reply is None else _cut(_pretty(reply)),
    )


def _text_of(completion: Mapping[str, Any]) -> str:
    """Return the text of a chat completion's first choice; empty where it has none."""
    choices = completion.get("choices") or [{}]
    content = (choices[0].get("message") or {}).get("content")
    return content if isinstance(content, str) else _pretty(content) if content else ""


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]} … (the batch's files hold the rest)"
