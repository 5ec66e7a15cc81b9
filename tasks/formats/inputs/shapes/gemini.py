"""Lines of Gemini's Batch API (`key`, `request`) and of Vertex AI's (`request`), as chat completions."""

from __future__ import annotations

import re
from typing import Any

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.options import Plan
from tasks.formats.inputs.shapes.conversation import Fields, check_keys, refuse

_ROLES = {"user": "user", "model": "assistant", None: "user"}
#: the names in `generationConfig` (snake case) of OpenAI's parameters
_PARAMETERS = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "max_output_tokens": "max_tokens",
    "stop_sequences": "stop", "seed": "seed", "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty", "candidate_count": "n",
}  # fmt: skip
_CAPITAL = re.compile(r"(?<=[a-z])([A-Z])")


def gemini(record: Fields, plan: Plan) -> Fields:
    """Read `request`; texts, images and the parameters are translated, tools and schemas are refused.

    `safetySettings` and the thoughts of earlier turns have no counterpart and are left out.
    """
    request = record.get("request")
    if not isinstance(request, dict):
        refuse("request is not an object")
    request = _snake_keys(request)
    if request.pop("safety_settings", None):
        plan.notice("safetySettings are Gemini's own and are not sent")
    check_keys(request, ("contents", "system_instruction", "generation_config"), "request")
    system = request.get("system_instruction")
    contents = request.get("contents")
    if not isinstance(contents, list):
        refuse("request.contents is not a list")
    messages = [_message(turn) for turn in contents]
    if system:
        messages.insert(0, {"role": "system", "content": _system_text(system)})
    return {"id": record.get("key"), "messages": messages, **_parameters(request.get("generation_config"))}


def _parameters(given: object) -> Fields:
    if not given:
        return {}
    if not isinstance(given, dict):
        raise LineRejected("invalid_parameter", "generationConfig is not an object")
    config = _snake_keys(given)
    kind = config.pop("response_mime_type", "text/plain")
    if kind not in ("text/plain", "application/json"):
        raise LineRejected("invalid_parameter", "responseMimeType is neither text/plain nor application/json")
    check_keys(config, _PARAMETERS, "generationConfig")
    fields: Fields = {_PARAMETERS[name]: value for name, value in config.items() if value is not None}
    return {**fields, "response_format": {"type": "json_object"}} if kind == "application/json" else fields


def _message(turn: Any) -> Fields:
    if not isinstance(turn, dict) or turn.get("role") not in _ROLES:
        refuse("a turn's role is neither user nor model")
    parts = [_snake_keys(part) if isinstance(part, dict) else {} for part in _parts(turn)]
    content = [_part(part) for part in parts if not part.get("thought")]
    return {"role": _ROLES[turn.get("role")], "content": content}


def _system_text(system: Any) -> str:
    for part in _parts(system):
        if not isinstance(part, dict) or not isinstance(part.get("text"), str):
            refuse("systemInstruction holds more than text")
        check_keys(part, ("text",), "a part")
    return "\n".join(part["text"] for part in _parts(system))


def _parts(turn: Any) -> list[Any]:
    parts = turn.get("parts") if isinstance(turn, dict) else None
    if isinstance(turn, dict):
        check_keys(turn, ("role", "parts"), "a turn")
    return parts if isinstance(parts, list) else refuse("parts is not a list")


def _part(part: Fields) -> Fields:
    check_keys(part, ("text", "inline_data", "thought", "thought_signature"), "a part")
    if isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    data = part.get("inline_data")
    if isinstance(data, dict):
        data = _snake_keys(data)
        check_keys(data, ("mime_type", "data", "display_name"), "inlineData")
        if str(data.get("mime_type")).startswith("image/"):
            url = f"data:{data['mime_type']};base64,{data.get('data')}"
            return {"type": "image_url", "image_url": {"url": url}}
    return refuse("a part is neither text nor an inline image")


def _snake_keys(value: Fields) -> Fields:
    return {_CAPITAL.sub(r"_\1", key).lower(): item for key, item in value.items()}
