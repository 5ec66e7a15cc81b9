"""The batches of an API server: the same methods as for a store, over `/v1` (docs/api.md)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.errors import UnknownBatch, UsageError
from tasks.formats.requests import InputError
from tasks.formats.results import ResultRecord
from tasks.parameters.extra import PRESETS
from tasks.store.batch_progress import Progress
from tasks.submission.estimate_values import Estimate
from tasks.submission.source import Accepted
from tasks.submission.source_name import shown
from workers.arguments import errors_in_python
from workers.backends.interface import OnError, Submission
from workers.backends.refusal import refuse
from workers.backends.server import records
from workers.backends.server.connection import Connection, NotThere
from workers.backends.server.creation import create, delete_file
from workers.backends.server.estimates import estimate_of
from workers.backends.server.finding import checked, found, pages
from workers.backends.server.options import metadata_of
from workers.backends.server.progress import progress_of
from workers.backends.server.upload import LinesFile, upload, written
from workers.backends.stopping import until_stopped
from workers.errors import ServerError
from workers.prompts import lines_of

_AUTO: Final = "auto"
_FINAL: Final = frozenset({"completed", "cancelled", "expired"})
#: how long a server may take to measure the files of a batch that has ended
_MEASURING_S: Final = 120.0
#: how long a server may take to estimate a file, and to begin with it
_ESTIMATE_S: Final = 600.0


class ServerBackend:
    """A server, and the bad lines of the batches that were submitted here, which it was not sent."""

    poll_s = 1.0

    def __init__(self, url: str, key: str) -> None:
        self._server = Connection(url, key)
        self._errors: dict[str, list[InputError]] = {}

    @property
    def place(self) -> str:
        """The address of the API."""
        return self._server.url

    def submit(self, submission: Submission, on_error: OnError) -> str:
        """Upload the lines and create their batch; a file that the server refuses raises UsageError."""
        metadata = metadata_of(submission)
        with errors_in_python():
            items, source = lines_of(submission.prompts, self._accepted(), submission.reading)
            with written(until_stopped(items), on_error) as file:
                _refuse(file, shown(source), submission.strict)
                batch = create(self._server, upload(self._server, file), file.endpoint or "", metadata)
        self._errors[batch["id"]] = file.errors
        return str(batch["id"])

    def estimate(self, submission: Submission, on_error: OnError) -> Estimate:
        """Upload the lines, let the server estimate them, and delete them there."""
        metadata = metadata_of(submission)
        with errors_in_python():
            items, source = lines_of(submission.prompts, self._accepted(), submission.reading)
            with written(until_stopped(items), on_error) as file:
                _refuse(file, shown(source), submission.strict)
                file_id = upload(self._server, file)
                try:
                    body = {"input_file_id": file_id, "endpoint": file.endpoint, "metadata": metadata}
                    answer = self._server.post("/estimates", json=body, repeats=False, timeout=_ESTIMATE_S)
                finally:
                    with suppress(UsageError, ServerError):
                        delete_file(self._server, file_id)
            found = estimate_of(answer, file.errors, on_error)
            first, bad = next(iter(found.bad_lines), None), sum(found.invalid.values())
            refuse(shown(source), bad, first, is_empty=not found.requests, strict=submission.strict)
        return found

    def _accepted(self) -> Accepted:
        listed = self._server.get("/models")
        models = tuple(one["id"] for one in listed["data"] if one["id"] != _AUTO)
        # A server of an earlier version does not say what its models take: it checks the lines itself.
        extra = listed.get("waybill_extra_params", frozenset().union(*PRESETS.values()))
        return Accepted(models, frozenset(extra))

    def find(self, batch_id: str | None) -> str:
        """Return the id of the batch with this id or name, or of the newest; raises UnknownBatch."""
        try:
            return found(self._server, batch_id)
        except UnknownBatch as error:
            which = "no batch yet" if batch_id is None else f"no batch {batch_id!r}"
            error.args = (f"{which} at {self.place}: a key sees only batches that it submitted",)
            raise

    def newest(self, limit: int) -> list[Progress]:
        """Return the progress of the key's newest batches, newest first; refused ones are left out."""
        taken = (one["id"] for one in pages(self._server, limit) if one["status"] != "failed")
        return [self.progress(one) for one in islice(taken, limit)]

    def progress(self, batch_id: str) -> Progress:
        """Return the progress of a batch; raises UsageError if the server refused its file."""
        return progress_of(self._server.get(f"/batches/{checked(batch_id)}/progress"))

    def exhausted_text(self, state: Progress) -> str:
        """Return what a batch that has ended lacked of its budget; empty if nothing."""
        if not state.budget_exhausted:
            return ""
        return str(self._server.get(f"/batches/{checked(state.batch_id)}/progress")["exhausted"])

    def results(self, batch_id: str, *, failed: bool | None) -> Iterator[ResultRecord]:
        """Yield the results in input order; the lines lie on the disk meanwhile."""
        batch = self._server.get(f"/batches/{checked(batch_id)}")
        wanted = {"output_file_id": failed is not True, "error_file_id": failed is not False}
        ids = [batch[name] for name, is_wanted in wanted.items() if is_wanted and batch[name]]
        yield from records.in_input_order((self._lines(batch_id, one) for one in ids), batch["endpoint"])
        for error in self._errors.get(batch_id, ()) if failed is not False else ():
            yield records.record_of_error(error, batch["endpoint"])

    def _lines(self, batch_id: str, file_id: str) -> Iterator[bytes]:
        try:
            with self._server.lines(f"/files/{file_id}/content") as lines:
                yield from lines
        except NotThere:
            raise UsageError(f"{batch_id}: its files were deleted, and its answers with them") from None

    def input_errors(self, batch_id: str) -> list[InputError]:
        """Return the bad lines: those left out here, and those that the server refused."""
        found = [one for one in self.results(batch_id, failed=True) if one.error_line is not None]
        return sorted(map(records.input_error_of, found), key=lambda error: error.line)

    def cancel(self, batch_id: str) -> int:
        """Cancel a batch and return the number of requests cancelled so far; one that has ended stays so."""
        before = self._cancelled(batch_id)
        try:
            self._server.post(f"/batches/{checked(batch_id)}/cancel")
        except UsageError:
            if not self.progress(batch_id).finished:
                raise
        return self._cancelled(batch_id) - before

    def _cancelled(self, batch_id: str) -> int:
        state = self._server.get(f"/batches/{checked(batch_id)}/progress")["progress"]
        return 0 if state is None else int(state["cancelled"])

    def pause(self, batch_id: str) -> None:
        """Begin nothing more of a batch."""
        self._server.post(f"/batches/{checked(batch_id)}/pause")

    def resume(self, batch_id: str) -> None:
        """Let a batch go on."""
        self._server.post(f"/batches/{checked(batch_id)}/resume")

    def set_budget(self, batch_id: str, budget: int) -> None:
        """Set the cap of a running batch."""
        self._server.post(f"/batches/{checked(batch_id)}/budget", json=_usd(budget))

    def retry(self, batch_id: str, budget: int | None) -> int:
        """Send again what failed and return how many requests."""
        body = {} if budget is None else _usd(budget)
        answer = self._server.post(f"/batches/{checked(batch_id)}/retry", json=body, repeats=False)
        return int(answer["retried"])

    def delete_data(self, batch_id: str) -> None:
        """Delete the files of a batch that has ended, and with them its prompts and answers.

        Files that are gone already are passed over, so that it can be called again.

        Raises:
            UsageError: It still runs, or the server is not done with its files.
        """
        if not self.progress(batch_id).finished:
            raise UsageError(f"{batch_id} still runs: cancel it, or wait for its end")
        batch = self._measured(batch_id)
        for name in ("output_file_id", "error_file_id", "input_file_id"):
            if batch[name]:
                delete_file(self._server, batch[name])

    def _measured(self, batch_id: str) -> Any:
        """Return a batch whose requests have ended, once the server has measured its files."""
        deadline = time.monotonic() + _MEASURING_S
        while (batch := self._server.get(f"/batches/{batch_id}"))["status"] not in _FINAL:
            if time.monotonic() >= deadline:
                raise UsageError(f"{batch_id} is {batch['status']}: its files are being measured, try again")
            time.sleep(self.poll_s)
        return batch

    def close(self) -> None:
        """Close the connection."""
        self._server.close()


def _refuse(file: LinesFile, source: str, strict: bool) -> None:
    """Raise UsageError for what a server shall not get: no line at all, or a bad one under strict."""
    first = file.errors[0] if file.errors else None
    refuse(source, len(file.errors), first, is_empty=file.endpoint is None, strict=strict)


def _usd(budget: int) -> dict[str, float]:
    return {"budget_usd": budget / MICROS_PER_DOLLAR}
