"""The files of a batch, and its manifest, for who has a cookie and no header to send a key in."""

from __future__ import annotations

from starlette.responses import Response

from tasks.batch_api.errors import NotFound
from tasks.batch_api.output import file_of
from tasks.store.api import batches as api_batches
from workers.api.batches.manifest import batch_manifest
from workers.api.files.content import file_content
from workers.page.visit import Visit


def download(visit: Visit) -> Response:
    """Return the output file, the error file or the manifest of a batch, to be saved."""
    batch_id, name = visit.path("batch_id"), visit.path("name")
    with visit.store.read() as connection:
        row = api_batches.find(connection, visit.key.id, batch_id)
    if row is None:
        raise NotFound("batch", batch_id)
    if name == "manifest":
        return _saved(batch_manifest(visit.call), f"{batch_id}_manifest.json")
    fields = {"output": "output_file_id", "errors": "error_file_id"}
    if name not in fields:
        raise NotFound("file", name[:40])
    file_id = row[fields[name]]
    visit.request.path_params["file_id"] = file_id
    return _saved(file_content(visit.call), file_of(row, file_id).name)


def _saved(response: Response, name: str) -> Response:
    response.headers["content-disposition"] = f'attachment; filename="{name}"'
    response.headers["cache-control"] = "no-store"
    return response
