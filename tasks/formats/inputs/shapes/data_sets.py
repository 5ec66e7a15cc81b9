"""The shapes of data sets: Alpaca, ShareGPT, MT-Bench and OpenAI's fine-tuning lines."""

from __future__ import annotations

from typing import Any

from tasks.formats.inputs.options import Plan
from tasks.formats.inputs.shapes.conversation import (
    Fields,
    optional_text,
    refuse,
    required_text,
    without_answer,
)

_SHAREGPT_ROLES = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant",
    "bing": "assistant", "bard": "assistant", "model": "assistant", "system": "system",
}  # fmt: skip


def alpaca(record: Fields, _plan: Plan) -> Fields:
    """Read `instruction`, with `input` below it, and `system`; `output` is not sent."""
    parts = [required_text(record, "instruction"), optional_text(record, "input")]
    fields = {"prompt": "\n\n".join(filter(None, parts))}
    system = optional_text(record, "system")
    return {**fields, "system": system} if system else fields


def sharegpt(record: Fields, _plan: Plan) -> Fields:
    """Read `conversations` of `from` and `value`, and `system`; the last answer is not sent."""
    turns = record.get("conversations")
    if not isinstance(turns, list):
        refuse("conversations is not a list")
    messages = without_answer([_turn(turn) for turn in turns])
    system = optional_text(record, "system")
    return {"messages": [{"role": "system", "content": system}, *messages] if system else messages}


def mt_bench(record: Fields, plan: Plan) -> Fields:
    """Read the first of `turns`; the second one needs an answer to the first."""
    turns = record.get("turns")
    if not isinstance(turns, list) or not turns or not isinstance(turns[0], str):
        refuse("turns is not a list of texts")
    if len(turns) > 1:
        plan.notice("only the first turn of each question is sent: a later one needs the answer to it")
    return {"prompt": turns[0], "id": record.get("question_id")}


def fine_tuning(record: Fields, plan: Plan) -> Fields:
    """Read `messages` without the last answer, which is what fine-tuning teaches, and the parameters."""
    messages = record.get("messages")
    if not isinstance(messages, list):
        refuse("messages is not a list")
    parameters = {name: value for name, value in record.items() if name in plan.parameters}
    return {**parameters, "messages": [_unweighted(message) for message in without_answer(messages)]}


def _turn(turn: object) -> Fields:
    if not isinstance(turn, dict):
        refuse("a turn of the conversation is not an object")
    speaker, text = turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))
    role = _SHAREGPT_ROLES.get(speaker) if isinstance(speaker, str) else None
    if role is None:
        refuse(f"a turn is not from one of {', '.join(sorted(_SHAREGPT_ROLES))}")
    return {"role": role, "content": text}


def _unweighted(message: Any) -> Any:
    return {k: v for k, v in message.items() if k != "weight"} if isinstance(message, dict) else message
