"""Generated batch files of every input format: each line becomes a request, or an error with a reason."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from router_core.compression import compressed
from tasks.content.parts import media_in
from tasks.endpoints.registry import endpoint_of
from tasks.formats.errors import FormatError
from tasks.formats.inputs.options import InputOptions, Shape, input_options
from tasks.formats.reading import InputError, InputLimits, ParsedRequest, read_requests
from tasks.money.call_costs import demand_of
from tests.faults.fuzzing.mutations import altered, damaged

MODELS = ("small", "large")
LIMITS = InputLimits(max_line_bytes=1 << 16, max_prompt_chars=20_000)
#: in every prompt: no reason may quote it
CANARY = "CANARY-fuzz"
_LINES = 200
_SUFFIXES = (
    ".jsonl", ".jsonl", ".json", ".csv", ".csv", ".tsv", ".txt", ".parquet", ".feather", ".jsonl.gz",
    ".csv.bz2", ".jsonl.xz", ".jsonl.zst",
)  # fmt: skip
_OPTIONS: tuple[dict[str, Any], ...] = (
    {}, {}, {}, {"prompt_column": "system"}, {"template": "{prompt} of {id}"}, {"param_columns": ()},
    {"id_column": "id", "param_columns": ("max_tokens",)}, {"quotes": False}, {"delimiter": ";"},
    {"encoding": "utf-16"}, {"encoding": "cp1252"}, *({"shape": shape} for shape in Shape),
)  # fmt: skip


def fuzz_inputs(folder: Path, *, lines: int, seed: int) -> Counter[str]:
    """Read files until `lines` lines were generated; counts lines, requests, errors and refused files."""
    random, counts = Random(seed), Counter[str]()
    while counts["lines"] < lines:
        suffix = random.choice(_SUFFIXES)
        path = folder / f"batch{suffix}"
        path.write_bytes(_file(suffix, random))
        counts["lines"] += _LINES
        counts["files"] += 1
        counts.update(_read(path, input_options(**random.choice(_OPTIONS))))
    return counts


def _read(path: Path, options: InputOptions) -> Counter[str]:
    counts = Counter[str]()
    try:
        for item in read_requests(path, models=MODELS, limits=LIMITS, options=options):
            if isinstance(item, InputError):
                assert item.code, item
                assert item.reason, item
                assert CANARY not in item.reason, item
                counts["errors"] += 1
            else:
                _check(item)
                counts["requests"] += 1
    except FormatError as error:
        counts["files refused" if CANARY not in str(error) else "prompts quoted"] += 1
    return counts


def _check(item: ParsedRequest) -> None:
    """Check what the stages rely on."""
    endpoint, body = endpoint_of(item.endpoint), json.loads(item.body)
    # The stages read the body again, without checking it.
    assert endpoint.prompt_of(body) == item.prompt, item
    assert isinstance(endpoint.question_of(body), str), item
    for part in media_in(body):
        assert part["type"], item
    demand_of(item.body, body_bytes=len(item.body.encode()), messages=item.messages)
    item.prompt.encode()
    item.custom_id.encode()
    assert "\0" not in item.prompt + item.custom_id, item
    assert item.model in (None, *MODELS), item


def _file(suffix: str, random: Random) -> bytes:
    first, _, packing = suffix[1:].partition(".")
    text = _text(first, random)
    return _packed(text, packing, random) if packing else text


def _text(kind: str, random: Random) -> bytes:
    if kind in ("csv", "tsv"):
        return _csv(random, "\t" if kind == "tsv" else random.choice((",", ";", "|")))
    if kind in ("parquet", "feather"):
        return _table(kind, random)
    if kind == "txt":
        lines = [f"{CANARY} say {n}".encode() for n in range(_LINES)]
    else:
        lines = [_json_line(n, random) for n in range(_LINES)]
    lines = [damaged(line, random) if random.random() < 0.7 else line for line in lines]
    return b"[" + b",\n".join(lines) + b"]" if kind == "json" and random.random() < 0.7 else b"\n".join(lines)


def _packed(text: bytes, packing: str, random: Random) -> bytes:
    out = io.BytesIO()
    with compressed(out, f"x.{packing}") as stream:
        stream.write(text)
    return damaged(out.getvalue(), random) if random.random() < 0.5 else out.getvalue()


def _json_line(number: int, random: Random) -> bytes:
    value = random.choice((_openai, _other, _plain, _plain))(number, random)
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        value = altered(value, random) if isinstance(value, (dict, list)) and value else value
    return json.dumps(value, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


def _openai(number: int, random: Random) -> dict[str, Any]:
    content: Any = f"{CANARY} say {number}"
    if random.random() < 0.2:
        image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
        content = [{"type": "text", "text": content}, image]
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": content}]
    body = {"model": random.choice(("auto", "small", "nobody")), "messages": messages, "max_tokens": 5}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    extra = random.choice(({}, {"temperature": 0.5}, {"tools": [tool]}, {"stop": ["a"]}))
    return {
        "custom_id": f"r{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {**body, **extra},
    }


def _other(number: int, random: Random) -> dict[str, Any]:
    """Return a line of another endpoint than chat completions."""
    text = f"{CANARY} say {number}"
    image = {"type": "input_image", "image_url": "https://example.org/a.png"}
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": text}, image]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": text},
    ]
    parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": "https://x/a.png"}}]
    url, body = random.choice(
        (
            ("/v1/responses", {"input": random.choice((text, items)), "instructions": "be brief"}),
            ("/v1/completions", {"prompt": random.choice((text, [1, 2])), "max_tokens": 5}),
            ("/v1/embeddings", {"input": random.choice((text, [text, "b"], [[1, 2], [3]]))}),
            ("/v1/moderations", {"input": random.choice((text, [text], parts))}),
        )
    )
    named = {**body, "model": random.choice(("small", "large", "auto"))}
    if random.random() < 0.3:
        return {"id": number, "url": url, **named}
    return {"custom_id": f"r{number}", "method": "POST", "url": url, "body": named}


def _plain(number: int, random: Random) -> dict[str, Any]:
    line = {"id": number, "prompt": f"{CANARY} say {number}", "system": "be brief", "max_tokens": 7}
    return {**line, "scores": {"small": 0.5}} if random.random() < 0.3 else line


def _csv(random: Random, delimiter: str) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(("id", "prompt", "system", "model", "max_tokens"))
    for number in range(_LINES):
        prompt = f"{CANARY} say {number}" + random.choice(("", ', "well"', "\nand again", "é"))
        writer.writerow(
            (number, prompt, "be brief", random.choice(("", "small", "auto")), random.choice((5, "")))
        )
    text = out.getvalue().encode(random.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252")))
    for _ in range(random.choice((0, 1, 5, 40))):
        text = damaged(text, random) if random.random() < 0.9 else text
        if len(text) < 100:
            break
    return text


def _table(kind: str, random: Random) -> bytes:
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet as pq

    prompts = [random.choice((f"{CANARY} say {n}", "", None, "\0", "é" * 50)) for n in range(_LINES)]
    limits = [random.choice((5, None, -1, 2**31)) for _ in range(_LINES)]
    columns = {"prompt": pa.array(prompts), "max_tokens": pa.array(limits), "id": pa.array(range(_LINES))}
    out = io.BytesIO()
    if random.random() < 0.5:
        turns = [[{"role": "user", "content": prompt}] for prompt in prompts]
        columns = {"messages": pa.array(turns), "id": columns["id"]}
    if kind == "parquet":
        pq.write_table(pa.table(columns), out)
    else:
        pyarrow.feather.write_feather(pa.table(columns), out)
    data = out.getvalue()
    return damaged(data, random) if random.random() < 0.7 else data
