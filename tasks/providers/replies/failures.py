"""Failures inside successful responses: an error object, a choice that broke off, a blocked prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tasks.endpoints.endpoint import Endpoint
from tasks.json_values import object_of, objects_in
from tasks.providers.error_details import ErrorDetails, details_of, plain
from tasks.providers.replies.answers import choices_in, has_answer, is_kept, usable_choices

_BROKEN_OFF = ErrorDetails(codes=(plain("server_error"),))
_BLOCKED = ErrorDetails(codes=(plain("content_filter"),))
#: what a success has and a failure lacks, in the shapes of all providers
_ANSWERS = ("choices", "candidates", "content", "output", "data", "results")
_MESSAGES = ("message", "detail", "msg", "title")


class Failure(NamedTuple):
    """What a response says of its failure, and whether it also holds something that a provider bills."""

    details: ErrorDetails
    maybe_billed: bool


def failure_in(body: Mapping[str, Any], *, endpoint: Endpoint, request: Mapping[str, Any]) -> Failure | None:
    """Return the failure that a response with a success status holds; None if it holds none, or an answer."""
    if not endpoint.answers_text and endpoint.has_answer(body, request):
        return None
    # Behind LiteLLM, a server may answer any endpoint with a chat completion.
    is_completion = "choices" in body or not endpoint.answers_text
    completion = body if is_completion else endpoint.as_completion(body)
    details = _details(body, completion)
    return None if details is None else Failure(details, _has_billed_part(body, completion))


def _details(body: Mapping[str, Any], completion: Mapping[str, Any]) -> ErrorDetails | None:
    choices = usable_choices(completion)
    has_error = _is_error(body)
    if any(is_kept(choice) and not _is_broken_off(choice, has_error) for choice in choices):
        return None
    if has_error:
        return details_of(body)
    if broken := [choice for choice in choices_in(completion) if _is_broken_off(choice, False)]:
        named = next((choice for choice in broken if choice.get("error")), None)
        return _BROKEN_OFF if named is None else details_of({"error": named["error"]})
    return _BLOCKED if _is_blocked(body) else None


def _is_error(body: Mapping[str, Any]) -> bool:
    """Return whether a body says that it is an error: by `error`, by its type, or by a status and a text."""
    if body.get("error") or "error" in (body.get("object"), body.get("type"), body.get("status")):
        return True
    if body.get("success") is False or body.get("errors"):  # Cloudflare
        return True
    if object_of(body.get("base_resp")).get("status_code"):  # MiniMax
        return True
    is_told = any(isinstance(body.get(name), str) for name in _MESSAGES)
    return is_told and not any(body.get(name) for name in _ANSWERS) and details_of(body).status is not None


def _is_broken_off(choice: Mapping[str, Any], has_error: bool) -> bool:
    """Return whether a choice ended by an error; OpenRouter also names the provider's own reason."""
    reason = choice.get("finish_reason")
    reasons = (reason, choice.get("native_finish_reason"))
    is_named = any(isinstance(one, str) and one.lower() == "error" for one in reasons)
    is_named = is_named or bool(choice.get("error"))
    return is_named or (has_error and not reason)


def _is_blocked(body: Mapping[str, Any]) -> bool:
    """Return whether the prompt was blocked: there is no answer, and Gemini or Azure says why."""
    if body.get("choices") or body.get("candidates"):
        return False
    filters = objects_in(body.get("prompt_filter_results"))
    verdicts = [v for one in filters for v in object_of(one.get("content_filter_results")).values()]
    is_filtered = any(object_of(verdict).get("filtered") for verdict in verdicts)
    return is_filtered or bool(object_of(body.get("promptFeedback")).get("blockReason"))


def _has_billed_part(body: Mapping[str, Any], completion: Mapping[str, Any]) -> bool:
    """Return whether a response holds a part of an answer, or a usage above 0."""
    usage = object_of(body.get("usage")) or object_of(body.get("usageMetadata"))
    is_used = any(type(count) in (int, float) and count > 0 for count in usage.values())
    return is_used or any(has_answer(choice) for choice in usable_choices(completion))
