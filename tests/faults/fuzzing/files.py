"""Damaged manifests, arrays, caches and settings: refused by an error that names them, or read as before."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from router_core.artefact import MANIFEST
from router_core.data.labelled_prompts import LabelledPrompt
from router_core.embedding.vector_cache import VectorCache, text_key
from router_core.errors import RouterCoreError
from router_core.router import Router
from router_core.training.train import train
from tasks.errors import SettingsError
from tasks.settings import load_settings
from tests.faults.fuzzing.mutations import altered, damaged

_DIMENSION, _VECTORS = 8, 64
_SETTINGS = """
home = "home"
[store]
url = "sqlite:///waybill.db"
[redis]
url = "redis://127.0.0.1:6379/0"
[dispatch]
in_flight = 64
[[models]]
name = "small"
litellm = "openai/small"
input_price = 0.1
output_price = 0.4
"""


def fuzz_manifests(folder: Path, *, mutations: int, seed: int) -> Counter[str]:
    """Load a router whose manifest or arrays were damaged; some with hashes that match."""
    random, counts = Random(seed), Counter[str]()
    sound = folder / "sound"
    _router().save(sound)
    text = (sound / MANIFEST).read_bytes()
    arrays = sorted(path.name for path in sound.glob("*.npz"))
    broken = folder / "broken"
    shutil.copytree(sound, broken)
    for _ in range(mutations):
        name = _damage(broken, text, random, arrays)
        counts.update(["mutations", _load(broken)])
        for restored in {name, MANIFEST}:
            shutil.copyfile(sound / restored, broken / restored)
    return counts


def _damage(broken: Path, text: bytes, random: Random, arrays: list[str]) -> str:
    """Damage one file of the router; returns its name."""
    kind = random.randrange(3)
    if kind == 0:
        (broken / MANIFEST).write_bytes(damaged(text, random))
        return MANIFEST
    manifest = json.loads(text)
    if kind == 1:
        manifest = altered(manifest, random)
        (broken / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8", errors="surrogatepass")
        return MANIFEST
    name = random.choice(arrays)
    data = damaged((broken / name).read_bytes(), random)
    (broken / name).write_bytes(data)
    manifest["files"][name] = hashlib.sha256(data).hexdigest()
    (broken / MANIFEST).write_text(json.dumps(manifest))
    return name


def _load(path: Path) -> str:
    try:
        Router.load(path)
    except RouterCoreError as error:
        return "refused" if path.name in str(error) else "refused without a name"
    return "loaded"


def _router() -> Router:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(120, _DIMENSION)).astype(np.float32)
    rows = [
        LabelledPrompt(
            f"p{n}", f"prompt {n}", ("coding", "other")[n % 2], None,
            {"a": float(n % 2), "b": float(n % 3 == 0)}, {"a": 0.1, "b": 0.2},
        )
        for n in range(len(vectors))
    ]  # fmt: skip
    return train(rows, vectors, embedder_id="test", embedder_fingerprint="f" * 8)


def fuzz_caches(folder: Path, *, mutations: int, seed: int) -> Counter[str]:
    """Open a vector cache whose file was damaged: a vector is the right one, or is not there."""
    random, counts = Random(seed), Counter[str]()
    keys = [text_key(f"text {n}") for n in range(_VECTORS)]
    vectors = np.random.default_rng(seed).normal(size=(_VECTORS, _DIMENSION)).astype(np.float16)
    _open(folder).put(keys, vectors.astype(np.float32))
    [file] = folder.rglob("*.vectors")
    sound = file.read_bytes()
    logging.getLogger("router_core.embedding.vector_cache").setLevel(
        logging.ERROR
    )  # it warns of each, as it should
    for _ in range(mutations):
        file.write_bytes(damaged(sound, random))
        cache = _open(folder)
        found, read = cache.get(keys)
        np.testing.assert_array_equal(read[found], vectors[found].astype(np.float32))
        counts.update(["mutations", "read" if found.all() else "dropped"])
        cache.close()
    return counts


def _open(folder: Path) -> VectorCache:
    return VectorCache(folder, fingerprint="f" * 8, dimension=_DIMENSION)


def fuzz_settings(folder: Path, *, mutations: int, seed: int) -> Counter[str]:
    """Read a waybill.toml that was damaged."""
    random, counts = Random(seed), Counter[str]()
    file = folder / "waybill.toml"
    for _ in range(mutations):
        counts["mutations"] += 1
        file.write_bytes(damaged(_SETTINGS.encode(), random))
        try:
            load_settings(file)
            counts["read"] += 1
        except SettingsError as error:
            counts["refused" if str(file) in str(error) else "refused without a name"] += 1
    return counts


def summary_line(what: str, counts: Counter[str], **given: Any) -> str:
    """Return a line with the counts and with what was given."""
    numbers = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    return f"{what}: {numbers} ({', '.join(f'{k} {v}' for k, v in given.items())})"
