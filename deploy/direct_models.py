"""Write tasks/providers/direct_models.json: which requests LiteLLM sends to a provider as they are.

    python deploy/direct_models.py            # asks the installed LiteLLM; a minute
    python deploy/direct_models.py --check    # says whether the file agrees with it

For each model of LiteLLM's price list whose provider speaks OpenAI's protocol, LiteLLM is given samples of
messages and parameters, and what it would send is compared with what it was given. With `transport = "auto"`
a request that holds nothing else than what is sent unchanged goes direct.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "tasks" / "providers" / "direct_models.json"
sys.path.insert(0, str(ROOT))

from tasks.settings.price_list import _price_list  # noqa: E402
from tests.support.sent_requests import Recorder, Sent, recording_variables  # noqa: E402

PROVIDERS = (
    "openai", "deepseek", "perplexity", "groq", "mistral", "xai", "together_ai", "fireworks_ai", "openrouter",
    "cerebras", "deepinfra", "nvidia_nim", "sambanova", "moonshot", "dashscope", "nebius", "novita",
    "hyperbolic", "hosted_vllm", "own",
)  # fmt: skip
#: new models of these providers differ from the known ones in what they take: nothing is assumed of them
CLOSED = frozenset(("openai",))
#: names that no list has, of the kinds that LiteLLM's adapters look for
UNLISTED = ("unlisted", "maker/unlisted-vision-70b", "maker/gpt-oss-120b", "claude-new", "qwen3-thinking")
#: variables that decide nothing about a request
NEUTRAL = re.compile(
    r".*(_KEY|_TOKEN|_SECRET)|SSL_.*|LITELLM_LOCAL_.*|.*TIKTOKEN.*|PYDANTIC_.*|PYTHON.*|LITELLM_RUST|"
    r"LITELLM_HTTP2|HOME|PATH|PWD|SHLVL|LC_.*|LANG|_|REQUEST_METHOD|LITELLM_USER_AGENT"
)
#: what may be a model's name: words with a hyphen and a digit
LIKE_A_MODEL = re.compile(r"(?=.*\d)(?=.*-)(?!utf-8)[a-z][\w.-]{3,40}(/[\w.-]{3,60})?", re.IGNORECASE)
GATEWAY = "https://gateway.example/v1"
#: one that no client was made for: a new client reads variables
OWN_SERVER = "https://own.example/v1"
END = "/chat/completions"
ASK = {"role": "user", "content": "2 + 2?"}
_SCHEMA = {
    "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
    "additionalProperties": False,
}  # fmt: skip
_FUNCTION = {"name": "f", "description": "d", "parameters": _SCHEMA}
_TOOLS = [{"type": "function", "function": one} for one in ({**_FUNCTION, "strict": True}, _FUNCTION)]
_NAMED = {"type": "function", "function": {"name": "f"}}
_IMAGES = [
    {"type": "text", "text": "a"},
    {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
]
#: samples of messages by the name of what they hold beside texts of users
MESSAGES: Mapping[str, Sequence[list[dict[str, Any]]]] = {
    "system": (
        [{"role": "system", "content": "Be brief."}, ASK],
        [{"role": "system", "content": "Be"}, {"role": "system", "content": "brief."}, ASK],
        [ASK, {"role": "system", "content": "Be brief."}, ASK],
    ),
    "assistant": ([ASK, {"role": "assistant", "content": "4"}, ASK, ASK],),
    "parts": ([{"role": "user", "content": [{"type": "text", "text": t} for t in "ab"]}],),
    "images": ([{"role": "user", "content": _IMAGES}],),
    "name": ([{**ASK, "name": "ann"}],),
}
#: samples of parameters
PARAMETERS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "frequency_penalty": [{"frequency_penalty": value} for value in (0, 0.5, -1)],
    "logit_bias": [{"logit_bias": {"1": 1}}],
    "logprobs": [{"logprobs": value} for value in (True, False)],
    "max_completion_tokens": [{"max_completion_tokens": value} for value in (1, 64, 100_000)],
    "max_tokens": [{"max_tokens": value} for value in (1, 64, 100_000)],
    "metadata": [{"metadata": {"a": "b"}}],
    "modalities": [{"modalities": ["text"]}],
    "n": [{"n": value} for value in (1, 2)],
    "parallel_tool_calls": [{"tools": _TOOLS, "parallel_tool_calls": value} for value in (True, False)],
    "prediction": [{"prediction": {"type": "content", "content": "x"}}],
    "presence_penalty": [{"presence_penalty": value} for value in (0, 0.5, -1)],
    "prompt_cache_key": [{"prompt_cache_key": "x"}],
    "reasoning_effort": [
        {"reasoning_effort": value}
        for value in ("none", "minimal", "low", "medium", "high", "xhigh", "max", "default", "x")
    ],
    "response_format": [
        {"response_format": value}
        for value in (
            {"type": "text"},
            {"type": "json_object"},
            {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": _SCHEMA}},
        )
    ],
    "safety_identifier": [{"safety_identifier": "x"}],
    "seed": [{"seed": value} for value in (0, 7)],
    "service_tier": [{"service_tier": value} for value in ("auto", "default", "flex", "priority")],
    "stop": [{"stop": value} for value in ("x", ["x"], ["x", "y", "z", "a", "b"])],
    "store": [{"store": value} for value in (True, False)],
    "temperature": [{"temperature": value} for value in (0, 0.01, 0.7, 1, 1.5, 2)],
    "tool_choice": [{"tools": _TOOLS, "tool_choice": v} for v in ("auto", "none", "required", _NAMED)],
    "tools": [{"tools": _TOOLS}],
    "top_logprobs": [{"logprobs": True, "top_logprobs": value} for value in (0, 2)],
    "top_p": [{"top_p": value} for value in (0, 0.01, 0.5, 1)],
    "user": [{"user": "x"}],
    "verbosity": [{"verbosity": value} for value in ("low", "medium", "high")],
    # `api_version` is also a name of LiteLLM's own, which it does not send to some providers
    "extra": [
        {"top_k": 5, "provider": {"order": ["x"]}, "guided_json": {"type": "object"}, "api_version": "x"}
    ],
}
EXTRA = frozenset(("top_k", "provider", "guided_json", "api_version"))
_MOST_SAMPLES = max(len(samples) for samples in PARAMETERS.values())
#: parameters that mean nothing without another one
NEEDS = {"parallel_tool_calls": "tools", "tool_choice": "tools", "top_logprobs": "logprobs"}


class Model(NamedTuple):
    """What LiteLLM sends to a model as it is, and what under another name."""

    takes: frozenset[str]
    renames: tuple[tuple[str, str], ...]


class Probe:
    """Questions to LiteLLM about one model."""

    def __init__(self, recorder: Recorder, model: str, api_base: str | None) -> None:
        self._recorder, self._model, self._base = recorder, model, api_base
        self.plain = self._send({"messages": [ASK]})

    def model(self) -> Model | None:
        """Return what is sent as it is; None if not even a question is."""
        if self.plain is None or self.plain.body.get("messages") != [ASK]:
            return None
        takes = {name for name, samples in MESSAGES.items() if all(map(self._keeps_messages, samples))}
        renames: dict[str, str] = {}
        for name, samples in PARAMETERS.items():
            found = {self._fate(name, sample) for sample in samples}
            if found == {name}:
                takes.add(name)
            elif len(found) == 1 and (other := found.pop()):
                renames[name] = other
        takes -= {name for name, needed in NEEDS.items() if needed not in takes}
        # All at once, as well: LiteLLM may treat some of them otherwise together.
        for index in range(_MOST_SAMPLES):
            takes -= self._changed_together(takes, index)
        return Model(frozenset(takes), tuple(sorted(renames.items())))

    def is_like(self, model: Model) -> bool:
        """Return whether the model is sent as it is what another one is sent: fewer questions."""
        messages = (one for name in model.takes & MESSAGES.keys() for one in MESSAGES[name])
        if not all(map(self._keeps_messages, messages)):
            return False
        if any(self._changed_together(model.takes, index) for index in range(_MOST_SAMPLES)):
            return False
        renamed = ((name, sample, other) for name, other in model.renames for sample in PARAMETERS[name])
        return all(self._fate(name, sample) == other for name, sample, other in renamed)

    def keeps_tools(self) -> bool:
        """Return whether tools are sent as they are."""
        return all(self._fate("tools", sample) == "tools" for sample in PARAMETERS["tools"])

    def _fate(self, name: str, sample: Mapping[str, Any]) -> str | None:
        """Return the name under which a parameter is sent; None if it is changed or left out."""
        sent = self._send({"messages": [ASK], **sample})
        if sent is None or self.plain is None or sent.url != self.plain.url:
            return None
        expected = {**self.plain.body, **sample}
        if sent.body == expected:
            return name
        gone, new = expected.keys() - sent.body.keys(), sent.body.keys() - expected.keys()
        if gone == {name} and len(new) == 1:
            other = new.pop()
            return other if sent.body == {**self.plain.body, other: sample[name]} else None
        return None

    def _changed_together(self, takes: Iterable[str], index: int) -> set[str]:
        given: dict[str, Any] = {}
        for name in sorted(takes & PARAMETERS.keys()):
            samples = PARAMETERS[name]
            given |= samples[min(index, len(samples) - 1)]
        sent = self._send({"messages": [ASK], **given})
        expected = {**(self.plain.body if self.plain else {}), **given}
        if sent is None:
            return set(takes)
        changed = {name for name in given if sent.body.get(name) != expected[name]}
        return set(takes) if sent.body != expected and not changed else changed

    def _keeps_messages(self, messages: list[dict[str, Any]]) -> bool:
        sent = self._send({"messages": messages})
        return (
            sent is not None
            and self.plain is not None
            and sent == self.plain._replace(body={**self.plain.body, "messages": messages})
        )

    def _send(self, body: Mapping[str, Any]) -> Sent | None:
        return self._recorder.send(self._model, body, api_base=self._base, extra_params=EXTRA)


def provider_entry(recorder: Recorder, provider: str) -> dict[str, Any] | None:
    """Return what the file says of a provider; None if LiteLLM sends it nothing as it is."""
    own = provider in ("hosted_vllm", "own")
    names = [] if own else listed(provider)
    prefix = "openai" if provider == "own" else provider
    first = names[0] if names else UNLISTED[0]
    with recording_variables() as read:
        probe = Probe(recorder, f"{prefix}/{first}", OWN_SERVER if own else None)
        probe.keeps_tools()  # for an own server, LiteLLM sends tools by another way than texts
    plain = probe.plain
    if plain is None or not plain.url.endswith(END):
        return None
    base = plain.url.removesuffix(END)
    added = {name: value for name, value in plain.body.items() if name not in ("messages", "model")}
    found: dict[Model, list[str]] = {}
    otherwise = [] if own else listed(provider, "responses")  # LiteLLM calls them at another endpoint
    for name in names:
        probe = Probe(recorder, f"{provider}/{name}", GATEWAY)
        if not is_alike(probe.plain, name, GATEWAY, added):
            otherwise.append(name)
            continue
        known = sorted(found, key=lambda model: -len(model.takes))
        model = next((one for one in known if probe.is_like(one)), None) or probe.model()
        if model is not None:
            found.setdefault(model, []).append(name)
    others = None if provider in CLOSED else unlisted(recorder, prefix, added, found)
    return {
        "base": None if own else base,
        "keys": sorted(name for name in read if name.endswith("_API_KEY")),
        "variables": sorted(name for name in read if not NEUTRAL.fullmatch(name)),
        "added": added,
        "others": None if others is None else as_json(others),
        "otherwise": [] if others is None else sorted(otherwise),
        "models": sorted(
            ({**as_json(model), "names": sorted(of)} for model, of in found.items()),
            key=lambda entry: entry["names"][0],
        ),
    }


def listed(provider: str, mode: str = "chat") -> list[str]:
    """Return the names of a provider's models of a mode that LiteLLM knows, as the provider knows them."""
    prefix = f"{provider}/"
    priced = {
        name.removeprefix(prefix)
        for name, entry in _price_list().items()
        if entry.get("litellm_provider") == provider
        and entry.get("mode") == mode
        and not name.startswith("ft:")
        and (provider == "openai" or name.startswith(prefix))
    }
    is_in_code = mode == "chat" and provider != "openai"
    return sorted(priced | (named_in_code(provider) if is_in_code else set()))


def named_in_code(provider: str) -> set[str]:
    """Return what may be names of models in the code of LiteLLM's adapter, which treats some specially."""
    spec = find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    files = Path(spec.origin).parent.joinpath("llms", provider).rglob("*.py")
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text())))
    texts = (node.value for node in nodes if isinstance(node, ast.Constant))
    return {text for text in texts if isinstance(text, str) and LIKE_A_MODEL.fullmatch(text)}


def unlisted(
    recorder: Recorder, prefix: str, added: Mapping[str, Any], found: Iterable[Model]
) -> Model | None:
    """Return what is sent as it is to every model, listed or not; None if not even a question is."""
    models = list(found)
    for name in UNLISTED:
        probe = Probe(recorder, f"{prefix}/{name}", GATEWAY)
        model = probe.model()
        if model is None or not is_alike(probe.plain, name, GATEWAY, added):
            return None
        models.append(model)
    takes = frozenset.intersection(*(model.takes for model in models))
    renames = set.intersection(*(set(model.renames) for model in models))
    return Model(takes, tuple(sorted(renames)))


def is_alike(plain: Sent | None, name: str, base: str, added: Mapping[str, Any]) -> bool:
    """Return whether a plain question is sent as the direct transport sends it."""
    return plain is not None and plain.url == base + END and plain.body == {
        "messages": [ASK], "model": name, **added
    }  # fmt: skip


def as_json(model: Model) -> dict[str, Any]:
    """Return a model's entry in the file."""
    return {"takes": sorted(model.takes), "renames": dict(model.renames)}


def main() -> int:
    """Write the file, or compare it."""
    recorder = Recorder()
    recorder.send("hosted_vllm/x", {"messages": [ASK]}, api_base=GATEWAY)  # loads LiteLLM
    names = [name for name in sys.argv[1:] if not name.startswith("-")] or PROVIDERS
    entries = {name: entry for name in names if (entry := provider_entry(recorder, name))}
    table = {"litellm": version("litellm"), "providers": entries}
    text = json.dumps(table, indent=1, sort_keys=True) + "\n"
    if "--check" not in sys.argv:
        FILE.write_text(text)
        return 0
    written = json.loads(FILE.read_text())["providers"]
    different = [name for name in names if written.get(name) != entries.get(name)]
    print(f"differs from LiteLLM {version('litellm')}: {', '.join(different)}" if different else "agrees")
    return 1 if different else 0


if __name__ == "__main__":
    for variable in list(os.environ):
        if variable.endswith(("_BASE", "_URL")) or variable.startswith(("OPENAI", "OR_")):
            del os.environ[variable]
    sys.exit(main())
