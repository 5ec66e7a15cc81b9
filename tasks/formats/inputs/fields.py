"""From what a line holds to the fields of a plain line, as the options and the shape say."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.names import listed
from tasks.formats.inputs.options import InputOptions, Plan
from tasks.formats.inputs.shapes.conversation import check_keys
from tasks.formats.inputs.shapes.registry import SHAPES

Fields = dict[str, Any]

#: keys of a line that are read, beside parameters
_READ = frozenset(
    {"id", "custom_id", "prompt", "messages", "system", "model", "url", "endpoint", "body", "method"}
)
#: how like a parameter a key is that is taken for a slip (difflib's ratio), and how many keys are looked at
_NEARNESS, _MOST_KEYS = 0.85, 1_000

_TARGET = (
    "conversations that end with the assistant's turn are sent as they are; "
    "--shape fine-tuning leaves that turn out"
)


def line_fields(value: object, plan: Plan) -> object | LineRejected:
    """Return the fields of a JSON line, or of an item of an iterable; Batch lines stay as they are."""
    if not isinstance(value, dict):
        return value
    if not plan.maps_columns or (isinstance(value.get("body"), dict) and "url" in value):
        note_misspelt(value, plan)
        if "messages" in value:
            note_answer(value, plan)
        return value
    return mapped(value, plan)


def mapped(record: Fields, plan: Plan) -> object | LineRejected:
    """Return the fields of a line whose columns the options name."""
    given = _ids(record, plan.options)
    try:
        fields = {**_parameters(record, plan), **_question(record, plan), **given}
    except LineRejected as rejected:
        rejected.given_id = given.get("id", given.get("custom_id"))
        return rejected
    note_answer(fields, plan)
    return fields


def data_columns(options: InputOptions) -> frozenset[str]:
    """Return the columns that the options name as data: they are no parameters, whatever they are called."""
    named = (options.prompt_column, options.id_column, options.system_column)
    return frozenset(name for name in named if name) | set(options.template.names if options.template else ())


def _question(record: Fields, plan: Plan) -> Fields:
    options = plan.options
    if options.shape is not None:
        return _all_known(SHAPES[options.shape].read(record, plan), plan)
    system = record.get(options.system_column or "system")
    return {**_prompt(record, options), **({} if system is None else {"system": system})}


def _all_known(fields: Fields, plan: Plan) -> Fields:
    """Return what a shape has read: further on, a key that is no parameter is taken for a column."""
    check_keys(fields, (*_READ, *plan.parameters), "the line")
    return fields


def _prompt(record: Fields, options: InputOptions) -> Fields:
    if options.template is not None:
        return {"prompt": options.template.filled(record)}
    name = options.prompt_column
    if name is None:
        return {key: record[key] for key in ("prompt", "messages") if key in record}
    if name not in record:
        raise LineRejected("missing_column", f"no {name!r}; it has {listed(record)}")
    return {"messages" if isinstance(record[name], list) else "prompt": record[name]}


def _ids(record: Fields, options: InputOptions) -> Fields:
    names = {"id": "id", "custom_id": "custom_id"} if options.id_column is None else {"id": options.id_column}
    return {key: record[name] for key, name in names.items() if record.get(name) is not None}


def _parameters(record: Fields, plan: Plan) -> Fields:
    options = plan.options
    if options.shape is not None:
        return {}
    names = options.param_columns
    if names is None:
        data = data_columns(options)
        names = tuple(
            name for name in record if (name in plan.parameters or name == "model") and name not in data
        )
    return {name: record[name] for name in names if name in record}


def note_misspelt(fields: Fields, plan: Plan) -> None:
    """Say that a key is not read which is nearly that of a parameter; each key is looked at once."""
    if plan.seen.issuperset(fields) or len(plan.seen) > _MOST_KEYS:
        return
    for key in fields.keys() - plan.seen:
        plan.seen.add(key)
        if key in plan.parameters or key in _READ:
            continue
        near = get_close_matches(key, plan.parameters, n=1, cutoff=_NEARNESS)
        if near:
            plan.notice(f"{key!r} is not read; did you mean {near[0]!r}?")


def note_answer(fields: Fields, plan: Plan) -> None:
    """Say that a conversation ends with an answer, which fine-tuning data have there."""
    messages = fields.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if isinstance(last, dict) and last.get("role") == "assistant":
        plan.notice(_TARGET)
