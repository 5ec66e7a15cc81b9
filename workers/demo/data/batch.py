"""The demo's batch: realistic prompts, with duplicates, named models and a few bad lines."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from workers.demo.data.labelled import labelled_rows
from workers.demo.data.prompts import write_prompts

#: Shares of the good lines.
_DUPLICATES = 0.08
_NAMED = 0.02
_NAMED_MODELS = ("sim-large", "sim-nano")
_MAX_TOKENS = (64, 128, 256, 512)


@dataclass(frozen=True)
class DemoBatch:
    """The counts of a batch that was written."""

    path: Path
    lines: int
    duplicates: int
    """Good lines with the same body as an earlier line."""
    bad: int
    """Lines that the reader must reject."""


def write_demo_batch(path: Path, n: int = 1000, seed: int = 0) -> DemoBatch:
    """Write `n` lines of OpenAI Batch JSONL, the same for the same seed; raises ValueError below 20 lines."""
    if n < 20:
        raise ValueError(f"a demo batch has at least 20 lines, not {n}")
    random = Random(seed)
    good, duplicates = n - len(_BAD_LINES), round(n * _DUPLICATES)
    lines = [_line(number, body) for number, body in enumerate(_bodies(good, duplicates, seed))]
    for spoil in _BAD_LINES:
        at = random.randrange(1, len(lines))
        lines.insert(at, spoil(json.loads(lines[0]), at))
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return DemoBatch(path=path, lines=n, duplicates=duplicates, bad=len(_BAD_LINES))


def _bodies(count: int, duplicates: int, seed: int) -> list[dict[str, Any]]:
    """Return request bodies in random order, `duplicates` of them copies of others."""
    random = Random(seed)
    bodies = [_body(text, random) for text in _new_texts(count - duplicates, seed)]
    bodies += random.choices(bodies, k=duplicates)
    random.shuffle(bodies)
    return bodies


def _new_texts(count: int, seed: int) -> Iterator[str]:
    """Return prompts that the demo's router was not trained on."""
    trained = {row["prompt"] for row in labelled_rows()}
    texts = (prompt.text for prompt in write_prompts(seed) if prompt.text not in trained)
    return (text for text, _ in zip(texts, range(count), strict=False))


def _body(text: str, random: Random) -> dict[str, Any]:
    body: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": text}]}
    if random.random() < _NAMED:
        body["model"] = random.choice(_NAMED_MODELS)
    if random.random() < 0.3:
        body["max_tokens"] = random.choice(_MAX_TOKENS)
    if random.random() < 0.1:
        body["messages"].insert(0, {"role": "system", "content": "You are a careful assistant."})
    return body


def _line(number: int, body: dict[str, Any]) -> bytes:
    return _dump(
        {"custom_id": f"demo-{number:05d}", "method": "POST", "url": "/v1/chat/completions", "body": body}
    )


def _dump(line: dict[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode()


def _cut_short(line: dict[str, Any], at: int) -> bytes:
    return _dump({**line, "custom_id": f"bad-{at}"})[:-20]


def _unknown_url(line: dict[str, Any], at: int) -> bytes:
    return _dump({**line, "custom_id": f"bad-{at}", "url": "/v1/images/generations"})


def _unknown_model(line: dict[str, Any], at: int) -> bytes:
    return _dump({**line, "custom_id": f"bad-{at}", "body": {**line["body"], "model": "sim-gigantic"}})


def _repeated_id(line: dict[str, Any], _at: int) -> bytes:
    return _dump(line)


def _not_utf8(line: dict[str, Any], at: int) -> bytes:
    message = {"role": "user", "content": "Résumé: café"}
    return json.dumps(
        {**line, "custom_id": f"bad-{at}", "body": {"messages": [message]}}, ensure_ascii=False
    ).encode("latin-1")


def _no_messages(line: dict[str, Any], at: int) -> bytes:
    return _dump({**line, "custom_id": f"bad-{at}", "body": {"model": "auto"}})


_BAD_LINES: tuple[Callable[[dict[str, Any], int], bytes], ...] = (
    _cut_short,
    _unknown_url,
    _unknown_model,
    _repeated_id,
    _not_utf8,
    _no_messages,
)
