"""What the simulator needs to know of an endpoint: how to read a request, and how to write the answer."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workers.simulator.errors import bad_request
from workers.simulator.faults import Fault
from workers.simulator.plans import Plan
from workers.simulator.replies import ABSURD_TOKENS, HTML
from workers.simulator.requests import ChatRequest, messages_digest, model_of, object_of

_Json = dict[str, Any]


@dataclass(frozen=True)
class SimulatedEndpoint:
    """An endpoint.

    Attributes:
        path: The path below the server's root.
        read: Returns what decides the answer to a request, whose fields it checks; raises RefusedError.
        write: Returns the answer's JSON object.
        answers: The key of that object under which the answers are.
    """

    path: str
    read: Callable[[_Json], ChatRequest]
    write: Callable[[Plan, ChatRequest, _Json], _Json]
    answers: str

    def request(self, body: bytes) -> tuple[ChatRequest, _Json]:
        """Return what decides the answer, and the request's fields; raises RefusedError."""
        raw = object_of(body)
        if raw.get("stream"):
            raise bad_request("the simulator does not stream; leave 'stream' out")
        return self.read(raw), raw

    def reply(self, plan: Plan, request: ChatRequest, raw: _Json) -> tuple[str, bytes]:
        """Return content type and body of a 200, damaged where the plan requires it."""
        if plan.fault is Fault.HTML:
            return "text/html", HTML
        body = json.dumps(self._damaged(self.write(plan, request, raw), plan.fault)).encode()
        return "application/json", body[: len(body) // 2] if plan.fault is Fault.TRUNCATED else body

    def _damaged(self, answer: _Json, fault: Fault | None) -> _Json:
        match fault:
            case Fault.NO_CHOICES:
                answer[self.answers] = []
            case Fault.EMPTY_CONTENT:
                answer[self.answers] = [None]
            case Fault.NO_USAGE:
                answer.pop("usage", None)
            case Fault.ABSURD_USAGE if "usage" in answer:
                answer["usage"] = {**dict.fromkeys(answer["usage"], -1), "total_tokens": ABSURD_TOKENS}
        return answer


def simple_request(raw: _Json, text: str, *, content: object, tokens: int, limit: int | None) -> ChatRequest:
    """Return a request whose answer the text decides; `content` identifies it in the ledger."""
    return ChatRequest(
        model=model_of(raw),
        prompt=text,
        digest=messages_digest([{"content": content}]),
        prompt_tokens=tokens,
        max_tokens=limit,
    )


def token_limit(raw: _Json, name: str, *, least: int = 1) -> int | None:
    """Return a limit of the answer's tokens; raises RefusedError for one below `least`."""
    limit = raw.get(name)
    if limit is not None and (type(limit) is not int or limit < least):
        raise bad_request(f"'{name}' must be an integer of at least {least}")
    return limit
