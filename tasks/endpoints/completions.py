"""`/v1/completions` (OpenAI API reference, "Create completion"): the continuation of one prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.endpoints.endpoint import Body, CheckedRequest, Endpoint
from tasks.endpoints.token_ids import are_token_ids
from tasks.formats.errors import LineRejected
from tasks.formats.inputs.parameters import check_kinds
from tasks.json_values import objects_in
from tasks.parameters import Parameter
from tasks.parameters.kinds import NUMBER, OBJECT, TEXT, TEXT_OR_TEXTS, TOKENS, WHOLE_NUMBER, YES_OR_NO
from tasks.parameters.table import table

_INPUT = "prompt"
_LIMIT = "max_tokens"
_PARAMETERS: Mapping[str, Parameter] = table(
    Parameter("best_of", WHOLE_NUMBER),
    Parameter("echo", YES_OR_NO),
    Parameter("frequency_penalty", NUMBER),
    Parameter("logit_bias", OBJECT),
    Parameter("logprobs", WHOLE_NUMBER),
    Parameter(_LIMIT, TOKENS),
    Parameter("n", WHOLE_NUMBER),
    Parameter("presence_penalty", NUMBER),
    Parameter("seed", WHOLE_NUMBER),
    Parameter("stop", TEXT_OR_TEXTS),
    Parameter("stream", YES_OR_NO),
    Parameter("suffix", TEXT),
    Parameter("temperature", NUMBER),
    Parameter("top_p", NUMBER),
    Parameter("user", TEXT),
)


def _check(body: Body) -> CheckedRequest:
    prompt = body[_INPUT]
    if not isinstance(prompt, str) and not are_token_ids(prompt):
        several = isinstance(prompt, list) and len(prompt) > 1
        raise LineRejected("invalid_prompt", _SEVERAL if several else "prompt is neither text nor token ids")
    if not prompt.strip() if isinstance(prompt, str) else not prompt:
        raise LineRejected("empty_prompt", "the prompt holds no text")
    check_kinds(body, _PARAMETERS, input_key=_INPUT)
    if body.get("stream"):
        raise LineRejected("invalid_parameter", "stream is set; a batch has no one to stream to")
    for name in ("n", "best_of"):
        if body.get(name) not in (None, 1):
            raise LineRejected("invalid_parameter", f"{name} is not 1; a request has one answer")
    return CheckedRequest(_prompt_of(body), 1, body.get(_LIMIT))


_SEVERAL = "prompt is a list of several; a request has one answer: give each a line of its own"


def _prompt_of(body: Body) -> str:
    prompt = body[_INPUT]
    return prompt.replace("\0", " ") if isinstance(prompt, str) else ""


def _plain_request(fields: Body) -> dict[str, Any]:
    if fields.get(_INPUT) is None:
        raise LineRejected("missing_prompt", "holds no prompt")
    return {_INPUT: fields[_INPUT]}


def _has_answer(reply: Body, _request: Body) -> bool:
    return any(isinstance(choice.get("text"), str) for choice in objects_in(reply.get("choices")))


def _with_text(reply: Body, text: str) -> dict[str, Any]:
    first, *others = reply["choices"]
    return {**reply, "choices": [{**first, "text": text}, *others]}


def _as_completion(body: Body) -> dict[str, Any]:
    choices = [
        {**choice, "message": {"role": "assistant", "content": choice.get("text")}}
        for choice in objects_in(body.get("choices"))
    ]
    return {**body, "choices": choices}


COMPLETIONS = Endpoint(
    path="/v1/completions",
    input_key=_INPUT,
    parameters=_PARAMETERS,
    limit_key=_LIMIT,
    routed=True,
    check=_check,
    prompt_of=_prompt_of,
    question_of=_prompt_of,
    plain_request=_plain_request,
    has_answer=_has_answer,
    with_text=_with_text,
    as_completion=_as_completion,
)
