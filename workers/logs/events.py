"""The events of the log: by the text of a message, its name and those of its arguments.

A message says what people read; programs read the event, which stays when the text is reworded.
"""

from __future__ import annotations

from celery.app import trace

_REQUEST = ("request", "key", "method", "path", "status", "took_ms", "ids")
#: each text that Waybill's loggers are called with: the event, and the fields that its arguments become
EVENTS: dict[str, tuple[str, ...]] = {
    # batches
    "%s has expired": ("batch.expired", "batch_id"),
    "%s is not valid: %d errors": ("batch.invalid", "batch_id", "errors"),
    "%s waits: its file cannot be read now": ("batch.file_unreadable", "batch_id"),
    "%s is validated by another process, or cancelled": ("batch.validated_elsewhere", "batch_id"),
    "%s: its prompts and answers are deleted, with those of %d copies": (
        "batch.data_deleted",
        "batch_id",
        "copies",
    ),
    "removed what an upload that broke off had left": ("upload.cleaned",),
    # chunks and messages
    "%s": ("chunk.stale", "reason"),
    "no heartbeat for chunk %d: %s": ("chunk.heartbeat_failed", "chunk", "error"),
    "announced %d chunks again: no message waits for them in Redis": ("chunk.announced_again", "chunks"),
    "a queue held something that is no message: dropped (%s)": ("message.undecodable", "error"),
    "a foreign message was dropped: %s (%s)": ("message.foreign", "reason", "error"),
    "dropped a message of version %s; this Waybill reads version %d": (
        "message.other_version",
        "found",
        "known",
    ),
    # calls and models
    "calls to %s fail here: %s": ("call.internal_error", "model", "error"),
    "a call to %s could not be settled: %s": ("call.not_settled", "model", "error"),
    "%s: %d failed call%s, the last: %s": ("call.failed", "model", "calls", "plural", "error"),
    "counts of failed calls wait: %s": ("call.counts_wait", "error"),
    "the history of a request waits: %s": ("call.history_waits", "error"),
    "an answer could not be checked: %s": ("answer.unchecked", "error"),
    "the check of an answer was ended: %s": ("answer.check_ended", "error"),
    "%s: %s, the next probe is in %.0f s": ("circuit.opened", "model", "reason", "probe_in_s"),
    "%s: answers again": ("circuit.closed", "model"),
    "%s could not be paused: %s": ("model.not_paused", "model", "error"),
    "requests for %s are not sent elsewhere: %s": ("model.no_failover", "model", "error"),
    "%s waits: %s": ("model.waits", "model", "error"),
    "%s: requests wait for money here: %s": ("model.money_waits", "model", "error"),
    "slots of %s are given back later: %s": ("limit.slots_kept", "model", "error"),
    "slots are not renewed: %s": ("limit.slots_not_renewed", "error"),
    "tokens of %s were not corrected: %s": ("limit.tokens_not_corrected", "model", "error"),
    # processes
    "no heartbeat: %s": ("dispatch.heartbeat_failed", "error"),
    "a dispatch loop died: %s": ("dispatch.loop_died", "error"),
    "%d requests were not handed back: %s": ("dispatch.not_handed_back", "requests", "error"),
    "drain ended early: %s": ("dispatch.drain_ended_early", "error"),
    "settlements wait: %s": ("dispatch.settlements_wait", "error"),
    "counters of batch %d wait: %s": ("dispatch.counters_wait", "batch", "error"),
    "no event: %s": ("flower.event_lost", "error"),
    "upkeep waits: %s": ("upkeep.waits", "error"),
    "upkeep of batch %d waits: another transaction has its lock": ("upkeep.batch_locked", "batch"),
    "canary %s was rolled back: %s": ("canary.rolled_back", "router", "reason"),
    "counters wait: %s": ("metrics.counters_wait", "error"),
    "metrics without the store: %s": ("metrics.no_store", "error"),
    "metrics without Redis: %s": ("metrics.no_redis", "error"),
    # the API server
    "%s %s %s %s %d %.0f ms %s": (
        "api.request",
        "request",
        "key",
        "method",
        "path",
        "status",
        "took_ms",
        "ids",
    ),
    "%s: the store is away: %s": ("api.no_store", "request", "error"),
    "%s: the file storage fails: %s": ("api.no_storage", "request", "error"),
    "%s: %s at %s": ("api.error", "request", "error", "place"),
    "a lease waits: %s": ("intake.lease_waits", "error"),
    "intake waits: %s": ("intake.waits", "error"),
    "the intake ended with status %d; it starts again": ("intake.restarted", "status"),
    "webhook %s of %s: %s": ("webhook.sent", "webhook", "batch_id", "answer"),
    "webhook %s: %s": ("webhook.failed", "webhook", "error"),
    "%d webhooks were not taken for a day": ("webhook.given_up", "webhooks"),
}
#: Celery's own texts about tasks; their arguments have names
TASK_EVENTS = {
    trace.LOG_RECEIVED: "task.received",
    trace.LOG_SUCCESS: "task.succeeded",
    trace.LOG_FAILURE: "task.failed",
    trace.LOG_INTERNAL_ERROR: "task.internal_error",
    trace.LOG_IGNORED: "task.ignored",
    trace.LOG_REJECTED: "task.rejected",
    trace.LOG_RETRY: "task.retried",
}
#: of a library's message
OTHER = "log"
