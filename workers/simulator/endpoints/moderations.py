"""`POST /v1/moderations` (OpenAI API reference, "Create moderation"): flagged by a few words, and free."""

from typing import Any

from workers.simulator.endpoints.endpoint import SimulatedEndpoint, simple_request
from workers.simulator.errors import bad_request
from workers.simulator.plans import Plan
from workers.simulator.requests import ChatRequest

_WORDS = {
    "violence": "kill",
    "violence/graphic": "gore",
    "harassment": "idiot",
    "harassment/threatening": "threat",
    "hate": "hate",
    "hate/threatening": "exterminate",
    "illicit": "steal",
    "illicit/violent": "bomb",
    "self-harm": "self-harm",
    "self-harm/intent": "hurt myself",
    "self-harm/instructions": "how to hurt",
    "sexual": "porn",
    "sexual/minors": "minor porn",
}


def _read(raw: dict[str, Any]) -> ChatRequest:
    inputs = _inputs(raw.get("input"))
    # Free of charge: no token is counted.
    return simple_request(raw, "\n".join(inputs), content=raw["input"], tokens=0, limit=0)


def _inputs(given: object) -> list[str]:
    """Return the texts to judge: a list of parts is one input."""
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and given and all(isinstance(one, str) for one in given):
        return given
    if isinstance(given, list) and given and all(isinstance(one, dict) for one in given):
        return ["\n".join(str(one.get("text", "")) for one in given)]
    raise bad_request("'input' must be text, a list of texts, or a list of parts")


def _write(plan: Plan, request: ChatRequest, raw: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": plan.id.replace("chatcmpl-", "modr-"),
        "model": request.model,
        "results": [_result(text.lower()) for text in _inputs(raw["input"])],
    }


def _result(text: str) -> dict[str, Any]:
    found = {category: word in text for category, word in _WORDS.items()}
    return {
        "flagged": any(found.values()),
        "categories": found,
        "category_scores": {category: 0.97 if hit else 0.0004 for category, hit in found.items()},
        "category_applied_input_types": {
            category: ["text"] if hit else [] for category, hit in found.items()
        },
    }


MODERATIONS = SimulatedEndpoint(path="/v1/moderations", read=_read, write=_write, answers="results")
