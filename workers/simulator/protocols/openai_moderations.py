"""OpenAI's moderations, by a few words, and free: https://platform.openai.com/docs/api-reference/moderations."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from workers.simulator.errors import bad_request
from workers.simulator.protocols.compatible import Compatible
from workers.simulator.protocols.inputs import all_text
from workers.simulator.protocols.protocol import Call
from workers.simulator.requests import ChatRequest, messages_digest, model_of

#: a word that offends, by category
_WORDS: Mapping[str, str] = MappingProxyType({
    "violence": "kill", "violence/graphic": "gore", "harassment": "idiot",
    "harassment/threatening": "threat", "hate": "hate", "hate/threatening": "exterminate",
    "illicit": "steal", "illicit/violent": "bomb", "self-harm": "self-harm",
    "self-harm/intent": "hurt myself", "self-harm/instructions": "how to hurt", "sexual": "porn",
    "sexual/minors": "minor porn",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _ModerationRequest(ChatRequest):
    texts: tuple[str, ...]


class CompatibleModerations(Compatible):
    """The endpoint `/moderations` of a server without a brand."""

    paths: ClassVar[tuple[str, ...]] = ("/moderations",)

    def parse(self, raw: dict[str, Any], *, model: str | None, headers: Mapping[str, str]) -> ChatRequest:
        """Check a request; it has no tokens, since it costs nothing."""
        texts = _texts(raw.get("input"))
        return _ModerationRequest(
            model=model_of(raw),
            prompt=all_text(texts),
            digest=messages_digest([{"input": raw["input"]}]),
            prompt_tokens=0,
            max_tokens=0,
            texts=texts,
        )

    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return a result for each text."""
        assert isinstance(call.request, _ModerationRequest)
        results = [] if call.is_empty else [_result(text.lower()) for text in call.request.texts]
        return {
            "id": f"modr-{call.plan.number}",
            "model": call.request.model,
            "results": results if call.text is not None else [None],
        }


class OpenAIModerations(CompatibleModerations):
    """The same endpoint of OpenAI."""

    name: ClassVar[str] = "openai"
    needs_key: ClassVar[bool] = True


def _texts(given: Any) -> tuple[str, ...]:
    """Return the texts to judge: a list of parts is one input."""
    if isinstance(given, str):
        return (given,)
    if isinstance(given, list) and given and all(isinstance(one, str) for one in given):
        return tuple(given)
    if isinstance(given, list) and given and all(isinstance(one, dict) for one in given):
        return ("\n".join(str(one.get("text", "")) for one in given),)
    raise bad_request("'input' must be text, a list of texts, or a list of parts")


def _result(text: str) -> dict[str, Any]:
    found = {category: word in text for category, word in _WORDS.items()}
    return {
        "flagged": any(found.values()),
        "categories": found,
        "category_scores": {category: 0.97 if hit else 0.0004 for category, hit in found.items()},
        "category_applied_input_types": {name: ["text"] if hit else [] for name, hit in found.items()},
    }
