"""An endpoint: how its requests are checked and bounded, and what its answers hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from tasks.parameters import Parameter

#: the path of a request that names no other one
CHAT_PATH = "/v1/chat/completions"
#: the JSON object of a request or of a reply
Body: TypeAlias = Mapping[str, Any]


class CheckedRequest(NamedTuple):
    """What is known of a valid request.

    Attributes:
        prompt: The text for the router, without NUL characters, which PostgreSQL's text type cannot hold.
        messages: The number of messages, or of inputs.
        max_tokens: The token limit of the answer, if the request sets one.
    """

    prompt: str
    messages: int
    max_tokens: int | None


def completion_of(values: Sequence[Any], usage: object) -> dict[str, Any]:
    """Return a chat completion whose text is JSON: that of the only value, or of the list of several."""
    content = json.dumps(values[0] if len(values) == 1 else values) if values else None
    choice = {"index": 0, "message": {"content": content}, "finish_reason": "stop" if values else None}
    return {"choices": [choice], "usage": usage}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A path of the OpenAI API.

    Attributes:
        path: The path, as it stands in the `url` of a Batch line.
        input_key: The key of the body that holds the prompt.
        parameters: What a body may hold beside it and `model`, by name.
        limit_key: The parameter that limits the answer's tokens; None where an answer has no output tokens.
        least_limit: The lowest limit that providers accept: a lower one counts as this.
        routed: Whether a request may leave the model to the router.
        check: Checks a body and returns what is known of it; raises LineRejected.
        prompt_of: Returns the prompt of a body that was checked before.
        question_of: Returns the text of such a body as judges see it.
        plain_request: Returns the body, without parameters, of a plain line; raises LineRejected.
        has_answer: Returns whether a reply holds an answer to a request.
        with_text: Returns a reply whose text is replaced; None where answers are no text.
        as_completion: Returns a reply in the shape of a chat completion, in which all answers are read.
    """

    path: str
    input_key: str
    parameters: Mapping[str, Parameter]
    limit_key: str | None
    least_limit: int = 1
    routed: bool
    check: Callable[[Body], CheckedRequest]
    prompt_of: Callable[[Body], str]
    question_of: Callable[[Body], str]
    plain_request: Callable[[Body], dict[str, Any]]
    has_answer: Callable[[Body, Body], bool]
    with_text: Callable[[Body, str], dict[str, Any]] | None
    as_completion: Callable[[Body], dict[str, Any]]

    @property
    def answers_text(self) -> bool:
        """Whether its answers are texts, which judges can compare."""
        return self.with_text is not None

    def limit(self, max_tokens: int | None, default: int) -> int:
        """Return the most output tokens of a call.

        Args:
            max_tokens: The limit that the request sets, if it sets one.
            default: The limit that a request gets which sets none.
        """
        return 0 if self.limit_key is None else max(max_tokens or default, self.least_limit)
