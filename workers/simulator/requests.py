"""A request, checked and reduced to what decides its answer; the same for every protocol."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workers.simulator.errors import bad_request
from workers.simulator.prompt_cache import Prefix

_TOKENS_PER_MESSAGE = 4  # Role and separators, as in OpenAI's chat format.
_TOKENS_PER_MEDIUM = 85  # An image of low detail; sound and files are counted as one, too.
_MEDIA = ("image_url", "input_audio", "file", "image")
#: values of `tool_choice` that name no tool
_CHOICES = ("auto", "none", "required")


@dataclass(frozen=True)
class Tool:
    """A function that the model may call."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class ChatRequest:
    """The part of a request that decides its answer."""

    model: str
    prompt: str
    """Text of the last user message."""
    digest: str
    prompt_tokens: int
    max_tokens: int | None
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    """`auto`, `none`, `required`, or the name of a tool."""
    schema: Mapping[str, Any] | None = None
    """The JSON schema of the answer; an empty one is any object."""
    logprobs: int | None = None
    """How many alternatives to show for each token; None shows no log-probabilities."""
    prefixes: tuple[Prefix, ...] = ()
    """The beginnings of the prompt that a cache may know, shortest first."""
    marked: bool = False
    """Whether the request marked its prefixes itself, and pays for writing them."""
    service_tier: str | None = None
    reasons: bool = False
    """Whether the request asks for reasoning."""

    def chosen_tool(self) -> Tool | None:
        """Return the tool that the request demands; None where the model may choose."""
        if not self.tools or self.tool_choice in ("auto", "none"):
            return None
        return next((tool for tool in self.tools if tool.name == self.tool_choice), self.tools[0])


def parse_chat(raw: Mapping[str, Any]) -> ChatRequest:
    """Check a chat completion request in OpenAI's format; raises RefusedError with the reason."""
    messages = messages_of(raw)
    refuse_stream(raw)
    return build_request(
        raw,
        messages,
        max_tokens=limit_of(raw, "max_completion_tokens", "max_tokens"),
        tools=_tools(raw),
        tool_choice=_tool_choice(raw.get("tool_choice")),
        schema=_schema(raw.get("response_format")),
        logprobs=(raw.get("top_logprobs") or 0) if raw.get("logprobs") else None,
        prefixes=prefixes_of(messages),
        service_tier=raw.get("service_tier"),
        reasons=bool(raw.get("reasoning_effort")),
    )


def build_request(
    raw: Mapping[str, Any], messages: list[dict[str, Any]], *, tools: Iterable[Tool] = (), **options: Any
) -> ChatRequest:
    """Return the request with these messages, which are in OpenAI's format."""
    tools = tuple(tools)
    extra = sum(count_tokens(tool.name + json.dumps(tool.schema)) for tool in tools)
    return ChatRequest(
        model=model_of(raw),
        prompt=next((text_of(m) for m in reversed(messages) if m.get("role") == "user"), ""),
        digest=messages_digest(messages),
        prompt_tokens=extra + sum(map(message_tokens, messages)),
        tools=tools,
        **options,
    )


def messages_digest(messages: list[dict[str, Any]]) -> str:
    """Return the SHA-256 (hex) of the messages as canonical JSON: the key of `GET /_sim/billed`."""
    canonical = json.dumps(messages, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def count_tokens(text: str) -> int:
    """Return an estimated number of tokens: one for each four bytes of UTF-8, rounded up."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def message_tokens(message: Mapping[str, Any]) -> int:
    """Return the tokens of a message: its text, its media and its tool calls."""
    media = sum(part.get("type") in _MEDIA for part in parts_of(message))
    calls = json.dumps(message["tool_calls"]) if message.get("tool_calls") else ""
    return (
        _TOKENS_PER_MESSAGE
        + count_tokens(text_of(message))
        + media * _TOKENS_PER_MEDIUM
        + count_tokens(calls)
    )


def prefixes_of(messages: list[dict[str, Any]]) -> tuple[Prefix, ...]:
    """Return the beginning of the prompt up to each message."""
    seen, tokens, found = hashlib.sha256(), 0, []
    for message in messages:
        seen.update(json.dumps(message, sort_keys=True).encode())
        tokens += message_tokens(message)
        found.append(Prefix(seen.hexdigest(), tokens))
    return tuple(found)


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a request's body; raises RefusedError."""
    try:
        raw = json.loads(body)
    except ValueError:
        raise bad_request("the request body is not JSON") from None
    if not isinstance(raw, dict):
        raise bad_request("the request body must be a JSON object")
    return raw


def model_of(raw: Mapping[str, Any]) -> str:
    """Return the model that a request names; raises RefusedError."""
    model = raw.get("model")
    if not isinstance(model, str):
        raise bad_request("you must provide a model parameter")
    return model


def messages_of(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the messages of a request; raises RefusedError where there is none."""
    messages = raw.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise bad_request("'messages' must be a list of at least one message object")
    return messages


def refuse_stream(raw: Mapping[str, Any]) -> None:
    """Raise RefusedError for a request of a stream: batches never ask for one."""
    if raw.get("stream"):
        raise bad_request("the simulator does not stream; leave 'stream' out")


def limit_of(raw: Mapping[str, Any], *names: str) -> int | None:
    """Return the token limit under the first of these names; raises RefusedError for an impossible one."""
    limit = next((raw[name] for name in names if raw.get(name) is not None), None)
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise bad_request(f"'{names[-1]}' must be an integer of at least 1")
    return limit


def parts_of(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the parts of a message's content, if it is a list of parts."""
    content = message.get("content")
    return (part for part in content if isinstance(part, dict)) if isinstance(content, list) else iter(())


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message; parts are joined by line breaks."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in parts_of(message))
    return content if isinstance(content, str) else ""


def _tools(raw: Mapping[str, Any]) -> Iterator[Tool]:
    tools = [tool for tool in raw.get("tools") or () if isinstance(tool, dict)]
    for function in [*(tool.get("function") for tool in tools), *(raw.get("functions") or ())]:
        if isinstance(function, dict):
            yield Tool(str(function.get("name")), function.get("parameters") or {})


def _tool_choice(choice: Any) -> str:
    if isinstance(choice, dict):
        return str(choice.get("function", {}).get("name", "required"))
    if choice == "any":  # Mistral's word
        return "required"
    return choice if choice in _CHOICES else "auto"


def _schema(form: Any) -> Mapping[str, Any] | None:
    if not isinstance(form, dict) or form.get("type") not in ("json_object", "json_schema"):
        return None
    schema = (form.get("json_schema") or {}).get("schema")
    return schema if isinstance(schema, dict) else {}
