"""The events of the log: by the text of a message, its name and those of its arguments.

A message says what people read; programs read the event, which stays when the text is reworded.
"""

from __future__ import annotations

from celery.app import trace

_REQUEST = ("request", "key", "method", "path", "status", "took_ms", "ids")
#: each text that Waybill's loggers are called with: the event, and the fields that its arguments become
EVENTS: dict[str, tuple[str, ...]] = {
    # batches
    "%s has expired": ("batch_expired", "batch_id"),
    "%s is not valid: %d errors": ("batch_invalid", "batch_id", "errors"),
    "%s waits: its file cannot be read now": ("batch_file_unreadable", "batch_id"),
    "%s is validated by another process, or cancelled": ("batch_validated_elsewhere", "batch_id"),
    "%s: its prompts and answers are deleted, with those of %d copies": (
        "batch_data_deleted",
        "batch_id",
        "copies",
    ),
    "removed what an upload that broke off had left": ("upload_cleaned",),
    # chunks and messages
    "%s": ("chunk_stale", "reason"),
    "no heartbeat for chunk %d: %s": ("chunk_heartbeat_failed", "chunk", "error"),
    "announced %d chunks again: no message waits for them in Redis": ("chunk_announced_again", "chunks"),
    "a queue held something that is no message: dropped (%s)": ("message_undecodable", "error"),
    "a foreign message was dropped: %s (%s)": ("message_foreign", "reason", "error"),
    "dropped a message of version %s; this Waybill reads version %d": (
        "message_other_version",
        "found",
        "known",
    ),
    # calls and models
    "calls to %s fail here: %s": ("call_internal_error", "model", "error"),
    "a call to %s could not be settled: %s": ("call_not_settled", "model", "error"),
    "%s is not called: %s is not set here": ("model_key_missing", "model", "variable"),
    "%s: %d failed call%s, the last: %s": ("call_failed", "model", "calls", "plural", "error"),
    "counts of failed calls wait: %s": ("call_counts_wait", "error"),
    "the history of a request waits: %s": ("call_history_waits", "error"),
    "an answer could not be checked: %s": ("answer_unchecked", "error"),
    "the check of an answer was ended: %s": ("answer_check_ended", "error"),
    "%s: %s, the next probe is in %.0f s": ("circuit_opened", "model", "reason", "probe_in_s"),
    "%s: answers again": ("circuit_closed", "model"),
    "%s could not be paused: %s: %s": ("model_not_paused", "model", "service", "error"),
    "requests for %s are not sent elsewhere: %s: %s": ("model_no_failover", "model", "service", "error"),
    "%s waits for %s: %s": ("model_waits", "model", "service", "error"),
    "%s: requests wait for money here: %s": ("model_money_waits", "model", "error"),
    "slots of %s are given back later: %s: %s": ("limit_slots_kept", "model", "service", "error"),
    "slots are not renewed: %s": ("limit_slots_not_renewed", "error"),
    "tokens of %s were not corrected: %s": ("limit_tokens_not_corrected", "model", "error"),
    # processes
    "no heartbeat: %s": ("dispatch_heartbeat_failed", "error"),
    "a dispatch loop died: %s": ("dispatch_loop_died", "error"),
    "%d requests were not handed back: %s": ("dispatch_not_handed_back", "requests", "error"),
    "drain ended early: %s": ("dispatch_drain_ended_early", "error"),
    "settlements wait: %s": ("dispatch_settlements_wait", "error"),
    "the store refused a result of batch %d: %s": ("dispatch_result_refused", "batch", "error"),
    "counters of batch %d wait: %s": ("dispatch_counters_wait", "batch", "error"),
    "no event: %s": ("flower_event_lost", "error"),
    "upkeep is ready": ("upkeep_ready",),
    "upkeep ends": ("upkeep_ended",),
    "the store's tables are upgraded from %s to %s": ("store_upgraded", "from_revision", "to_revision"),
    "upkeep waits: %s: %s": ("upkeep_waits", "service", "error"),
    "upkeep of batch %d waits: another transaction has its lock": ("upkeep_batch_locked", "batch"),
    "%s is passed over: %s": ("work_passed_over", "name", "error"),
    "canary %s was rolled back: %s": ("canary_rolled_back", "router", "reason"),
    "counters wait: %s": ("metrics_counters_wait", "error"),
    "metrics without the store: %s": ("metrics_no_store", "error"),
    "metrics without Redis: %s": ("metrics_no_redis", "error"),
    "no traces: %s is not installed": ("tracing_off", "package"),
    "no traces: %s": ("tracing_refused", "error"),
    "%d results are of a batch that is not in the store": ("dispatch_batch_missing", "results"),
    "%d calls were not on the ledger: the store lacks what it had confirmed": ("call_not_on_ledger", "calls"),
    "%s ended with status %d": ("page_child_ended", "module", "status"),
    # the API server
    "%s %s %s %s %d %.0f ms %s": (
        "api_request",
        "request",
        "key",
        "method",
        "path",
        "status",
        "took_ms",
        "ids",
    ),
    "%s: the store is away: %s": ("api_no_store", "request", "error"),
    "%s: the file storage fails: %s": ("api_no_storage", "request", "error"),
    "%s: %s at %s": ("api_error", "request", "error", "place"),
    "a lease waits: %s": ("intake_lease_waits", "error"),
    "intake waits: %s": ("intake_waits", "error"),
    "the intake does not start: %s; it is tried again": ("intake_not_started", "error"),
    "the intake ended with status %d; it starts again": ("intake_restarted", "status"),
    "webhook %s of %s: %s": ("webhook_sent", "webhook", "batch_id", "answer"),
    "webhook %s: %s": ("webhook_failed", "webhook", "error"),
    "%d webhooks were not taken for a day": ("webhook_given_up", "webhooks"),
    "a scrape broke off: %s": ("scrape_broke_off", "error"),
    "ended by an error: %s": ("process_failed", "error"),
}
#: Celery's own texts about tasks; their arguments have names
TASK_EVENTS = {
    trace.LOG_RECEIVED: "task_received",
    trace.LOG_SUCCESS: "task_succeeded",
    trace.LOG_FAILURE: "task_failed",
    trace.LOG_IGNORED: "task_ignored",
    trace.LOG_REJECTED: "task_rejected",
    trace.LOG_RETRY: "task_retried",
}
#: an error of Celery itself, which has the text of a failed task, but this description
INTERNAL_ERROR, INTERNAL_DESCRIPTION = "task_internal_error", trace.log_policy_internal.description
#: of a library's message, and of what a process says of itself
OTHER = "log"
