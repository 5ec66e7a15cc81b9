"""The endpoint's value."""

from __future__ import annotations

from tasks.endpoints.endpoint import Endpoint
from tasks.endpoints.responses import replies, requests

RESPONSES = Endpoint(
    path="/v1/responses",
    input_key=requests.INPUT,
    parameters=requests.PARAMETERS,
    limit_key=requests.LIMIT,
    # OpenAI refuses a lower limit, and LiteLLM raises it to this.
    least_limit=16,
    routed=True,
    check=requests.check,
    prompt_of=requests.prompt_of,
    question_of=requests.question_of,
    plain_request=requests.plain_request,
    has_answer=replies.has_answer,
    with_text=replies.with_text,
    as_completion=replies.as_completion,
)
