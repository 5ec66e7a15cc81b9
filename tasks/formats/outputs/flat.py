"""The flat columns of a result, for spreadsheets and data frames; their names and order are stable.

New columns go to the end: scripts may take columns by position.
"""

from typing import Any

from tasks.content.answers import first_choice
from tasks.endpoints.registry import endpoint_of
from tasks.formats.outputs.answer_columns import ANSWER_COLUMNS, answer_columns
from tasks.formats.results import ResultRecord
from tasks.json_values import object_of

_WAYBILL = (
    "category", "predicted", "gap", "used_fallback", "reason", "router_version",
    "cost_usd", "latency_ms", "attempts", "duplicate_of",
)  # fmt: skip
#: remarks on an answer, of which most have none
_REMARKS = ("mended", "dropped", "repaired", "reused_from", "without_answer", "valid", "invalid", "saved_usd")
_USAGE = ("reasoning_tokens", "cached_tokens", "cache_write_tokens")
_REASONING = ("reasoning_tokens",)
_CACHED = ("cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens")
_CACHE_WRITE = ("cache_creation_tokens", "cache_write_tokens", "cache_creation_input_tokens")
COLUMNS = (
    "custom_id", "line", "model", "answer", "finish_reason", "prompt_tokens", "completion_tokens", *_WAYBILL,
    "status_code", "error_code", "error_message", *ANSWER_COLUMNS, *_USAGE, *_REMARKS,
)  # fmt: skip


def flat_row(record: ResultRecord) -> dict[str, Any]:
    """Return the record's value for each of `COLUMNS`, None where it has none; `line` is the input line."""
    body = endpoint_of(record.endpoint).as_completion(record.body) if record.body else {}
    choice = first_choice(body)
    values = {
        **record.waybill,
        **answer_columns(body, choice),
        **_tokens(object_of(body.get("usage"))),
        "custom_id": record.custom_id,
        "line": record.line if record.error_line is None else record.error_line,
        "model": record.body.get("model") if record.body else None,
        "finish_reason": choice.get("finish_reason"),
        "status_code": record.status_code,
        "error_code": record.error_code,
        "error_message": record.error_message,
    }
    return {name: values.get(name) for name in COLUMNS}


def _tokens(usage: dict[str, Any]) -> dict[str, Any]:
    """Return the token counts by kind; providers have different names for them."""
    prompt = usage.get("prompt_tokens_details")
    completion = usage.get("completion_tokens_details")
    return {
        "prompt_tokens": _count(usage, "prompt_tokens"),
        "completion_tokens": _count(usage, "completion_tokens"),
        "reasoning_tokens": _count(completion, *_REASONING) or _count(usage, *_REASONING),
        "cached_tokens": _count(prompt, *_CACHED) or _count(usage, *_CACHED),
        "cache_write_tokens": _count(prompt, *_CACHE_WRITE) or _count(usage, *_CACHE_WRITE),
    }


def _count(counts: Any, *names: str) -> int | None:
    """Return the first of these counts that is a number; some providers send it as text or as 20.0."""
    for name in names if isinstance(counts, dict) else ():
        number = _whole_number(counts.get(name))
        if number is not None:
            return number
    return None


def _whole_number(value: object) -> int | None:
    if isinstance(value, float | str):
        try:
            value = int(float(value))
        except (ValueError, OverflowError):
            return None
    return value if type(value) is int and abs(value) < 2**63 else None
