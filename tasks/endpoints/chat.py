"""`/v1/chat/completions` (OpenAI API reference, "Create chat completion")."""

from __future__ import annotations

import json
from typing import Any

from tasks.content.answers import with_text
from tasks.endpoints.endpoint import CHAT_PATH, Body, CheckedRequest, Endpoint
from tasks.formats.inputs.messages import checked_prompt_of, prompt_of, text_of
from tasks.formats.inputs.parameters import check_parameters
from tasks.formats.inputs.plain_messages import plain_messages
from tasks.parameters import CHAT_PARAMETERS


def _check(body: Body) -> CheckedRequest:
    prompt = prompt_of(body["messages"])
    return CheckedRequest(prompt, len(body["messages"]), check_parameters(body))


def _prompt_of(body: Body) -> str:
    return checked_prompt_of(body["messages"])


def _question_of(body: Body) -> str:
    """Return the text of a single message, or the whole conversation with its roles."""
    messages = body["messages"]
    if len(messages) == 1:
        return _content(messages[0])
    return "\n\n".join(f"{message['role']}: {_content(message)}" for message in messages)


def _content(message: Body) -> str:
    content = message.get("content")
    if content is not None:
        return text_of(content)
    return message.get("refusal") or json.dumps(message.get("tool_calls") or "")


def _plain_request(fields: Body) -> dict[str, Any]:
    return {"messages": plain_messages(fields)}


def _has_answer(reply: Body, _request: Body) -> bool:
    return bool(reply.get("choices"))


def _with_text(reply: Body, text: str) -> dict[str, Any]:
    first, *others = reply["choices"]
    return {**reply, "choices": [{**first, "message": with_text(first["message"], text)}, *others]}


CHAT = Endpoint(
    path=CHAT_PATH,
    input_key="messages",
    parameters=CHAT_PARAMETERS,
    limit_key="max_tokens",
    routed=True,
    check=_check,
    prompt_of=_prompt_of,
    question_of=_question_of,
    plain_request=_plain_request,
    has_answer=_has_answer,
    with_text=_with_text,
    as_completion=dict,
)
