"""The flat columns of a result, for spreadsheets and data frames; their names and order are stable."""

from typing import Any

from tasks.formats.results import ResultRecord

_WAYBILL = (
    "category", "predicted", "gap", "used_fallback", "reason", "router_version",
    "cost_usd", "latency_ms", "attempts", "duplicate_of",
)  # fmt: skip
COLUMNS = (
    "custom_id", "line", "model", "answer", "finish_reason", "prompt_tokens", "completion_tokens", *_WAYBILL,
    "status_code", "error_code", "error_message",
)  # fmt: skip


def flat_row(record: ResultRecord) -> dict[str, Any]:
    """Return the record's value for each of `COLUMNS`, None where it has none; `line` is the input line."""
    body = record.body or {}
    choice = _choice(body)
    usage = _object(body.get("usage"))
    return {
        "custom_id": record.custom_id,
        "line": record.line if record.error_line is None else record.error_line,
        "model": body.get("model"),
        "answer": _answer(_object(choice.get("message")).get("content")),
        "finish_reason": choice.get("finish_reason"),
        "prompt_tokens": usage.get("prompt_tokens"),
        "completion_tokens": usage.get("completion_tokens"),
        **{name: record.waybill.get(name) for name in _WAYBILL},
        "status_code": record.status_code,
        "error_code": record.error_code,
        "error_message": record.error_message,
    }


def _choice(body: dict[str, Any]) -> dict[str, Any]:
    choices = body.get("choices")
    return _object(choices[0]) if isinstance(choices, list) and choices else {}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _answer(content: object) -> str | None:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in map(_object, content))
    return content if isinstance(content, str) else None
