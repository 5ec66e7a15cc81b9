"""The pages of a submission: a file is uploaded, then estimated, then submitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from router_core.monitoring.familiarity import Familiarity
from router_core.policy.preferences import POLICIES
from tasks.batch_api import creation
from tasks.batch_api.creation import NewBatch
from tasks.batch_api.errors import ApiError, NotFound
from tasks.endpoints.registry import ENDPOINTS
from tasks.files.storage import new_name
from tasks.store.api import files
from tasks.submission.estimate_values import MIX
from workers.api.child import ask
from workers.api.files.handlers import PURPOSES, keep_file
from workers.api.files.multipart import read_form
from workers.api.files.quota import refuse_announced
from workers.page.visit import FORM_HEADER, FORM_TOKEN, Visit, refuse_foreign_form
from workers.views.familiarity import unfamiliar_texts

#: the fields of the form that are options of the batch as they stand
_OPTIONS = ("waybill_budget_usd", "waybill_deadline", "waybill_policy", "waybill_priority", "waybill_models")
_DEADLINES = ("24h", "1h", "6h", "12h", "2d", "7d")


def show_upload(visit: Visit) -> Response:
    """Show the place to drop a file on."""
    return visit.page("submit.html", most_mb=visit.context.settings.api.max_file_mb)


async def upload(visit: Visit) -> Response:
    """Store a file, and show it."""
    await run_in_threadpool(refuse_announced, visit.call, param="file")
    storage, name = visit.context.storage, new_name()
    form = await read_form(
        visit.request,
        file_field="file",
        max_bytes=int(visit.context.settings.api.max_file_mb * 2**20),
        open_draft=lambda: storage.draft(name),
        fields=(FORM_TOKEN,),
    )
    try:
        token = form.fields.get(FORM_TOKEN) or visit.request.headers.get(FORM_HEADER, "")
        refuse_foreign_form(visit.session, token)
    except ApiError:
        form.draft.discard()
        raise
    form.fields["purpose"] = PURPOSES[0]
    row = await run_in_threadpool(keep_file, visit.call, form, name)
    return visit.to(f"/submit/{row['id']}")


def show_file(visit: Visit) -> Response:
    """Show a file that can be submitted, and its options; the estimate follows by itself."""
    return visit.page(
        "submit_file.html",
        file=_file(visit),
        endpoints=list(ENDPOINTS),
        policies=POLICIES,
        deadlines=_DEADLINES,
    )


async def show_estimate(visit: Visit) -> Response:
    """Show the dry run of a file with the options of the form."""
    file = await run_in_threadpool(_file, visit)
    query = visit.request.query_params
    asked = {
        "key_id": visit.key.id,
        "file_id": file["id"],
        "endpoint": _endpoint(query),
        "metadata": _metadata(query),
    }
    estimate = await ask(
        visit.request, "workers.api.estimates.estimator", asked, turn=visit.context.loading.of(visit.key.id)
    )
    return visit.page(
        "estimate.html", estimate=estimate, mix=MIX, unlike=unfamiliar_texts(_familiarity(estimate), "FILE")
    )


def _familiarity(estimate: Mapping[str, Any]) -> Familiarity | None:
    known = (estimate.get("mix") or {}).get("familiarity")
    return Familiarity(known["familiar"], known["unfamiliar"]) if known else None


def submit(visit: Visit) -> Response:
    """Create the batch, and show it; the same form twice is one batch."""
    new = NewBatch(
        input_file_id=_file(visit)["id"],
        endpoint=_endpoint(visit.form),
        completion_window="24h",
        metadata=_metadata(visit.form),
    )
    row = creation.create(visit.store, visit.context.settings, visit.key, new)
    return visit.to(f"/batches/{row['id']}")


def _file(visit: Visit) -> RowMapping:
    file_id = visit.path("file_id")
    with visit.store.read() as connection:
        row = files.find(connection, visit.key.id, file_id)
    if row is None or row["stored_as"] is None:
        raise NotFound("file", file_id)
    return row


def _endpoint(form: Mapping[str, str]) -> str:
    endpoint = form.get("endpoint", "")
    if endpoint not in ENDPOINTS:
        raise ApiError(f"no such endpoint: {endpoint[:80]!r}", param="endpoint")
    return endpoint


def _metadata(form: Mapping[str, str]) -> dict[str, str]:
    """Return the options of the form that are set."""
    given = {name: form.get(name, "").strip() for name in _OPTIONS}
    partial = {"waybill_partial": "true"} if form.get("waybill_partial") == "true" else {}
    return {**{name: value for name, value in given.items() if value}, **partial}
