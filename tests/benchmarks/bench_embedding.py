"""How near MiniLM comes to what the machine can multiply, and what a static embedding takes instead.

    python tests/benchmarks/bench_embedding.py [--prompts 256] [--threads N] [--rounds 4]

The rate of matrix products (1,024 x 1,536 times 1,536 x 1,536) is measured in each round, in float32 and in
bfloat16, and the best round counts on both sides; what is measured in one round stands next to each other.
A prompt of n tokens takes 6 layers of 2 n (4 h² + 2 h f) + 4 n² h operations. Cosines are to the vectors of
`SentenceTransformer.encode`. The static embedding is measured as a stage uses it, beside finding the same
vectors in the cache on disk and keeping new ones there: by CPU time, which others on the machine hardly move.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from router_core.embedding.embedder import Embedder  # noqa: E402
from router_core.embedding.model_files import DEFAULT_MODEL, find_model  # noqa: E402
from router_core.embedding.static_encoder import static_files  # noqa: E402
from router_core.embedding.transformer_encoder import TransformerEncoder  # noqa: E402
from router_core.embedding.vector_cache import VectorCache, text_key  # noqa: E402
from workers.demo.data.prompts import write_prompts  # noqa: E402
from workers.routers.embedders import static_folder  # noqa: E402

SEED = 77
STATIC_PROMPTS = 8192
CHUNK = 512


def main() -> None:
    options = parsed()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    texts = [prompt.text for prompt in islice(write_prompts(SEED), options.prompts)]
    transformer = transformers(texts, options.threads, options.rounds)
    static = static_costs()
    print(json.dumps({"threads": options.threads, "transformer": transformer, "static": static}))


def parsed() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--prompts", type=int, default=256)
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--rounds", type=int, default=4)
    return options.parse_args()


# The transformer


def transformers(texts: Sequence[str], threads: int, rounds: int) -> dict[str, dict[str, float]]:
    """Encode in three ways, round after round; prints the table."""
    import torch
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(find_model(DEFAULT_MODEL)), device="cpu")
    torch.set_num_threads(threads)
    ways: dict[str, Callable[[], np.ndarray]] = {
        "SentenceTransformer.encode": lambda: plain.encode(list(texts), normalize_embeddings=True),
        **{
            f"Waybill, {precision}": encoder(precision, texts, threads)
            for precision in ("float32", "bfloat16")
        },
    }
    seconds, products = dict.fromkeys(ways, float("inf")), {"float32": 0.0, "bfloat16": 0.0}
    vectors = {}
    for _ in range(rounds):
        for precision in products:
            products[precision] = max(products[precision], product_rate(getattr(torch, precision)))
        for name, encode in ways.items():
            began = time.perf_counter()
            vectors[name] = encode()
            seconds[name] = min(seconds[name], time.perf_counter() - began)
    work = operations(plain, texts)
    rows = {}
    print(f"matrix products: {', '.join(f'{k} {v:,.0f} GFLOP/s' for k, v in products.items())}")
    print(f"{threads} threads, {len(texts)} prompts of {np.mean(tokens(plain, texts)):.0f} tokens\n")
    print("| | prompts/s | GFLOP/s | share of float32's rate | of its own | lowest cosine |")
    print("|---|---|---|---|---|---|")
    for name, best in seconds.items():
        rate = work / best / 1e9
        own = products["bfloat16" if "bfloat16" in name else "float32"]
        cosine = float((vectors[name] * vectors["SentenceTransformer.encode"]).sum(axis=1).min())
        rows[name] = {
            "prompts_per_s": len(texts) / best, "gflops": rate, "share_float32": rate / products["float32"],
            "share_own": rate / own, "cosine": cosine,
        }  # fmt: skip
        shares = f"{rate / products['float32']:.0%} | {rate / own:.0%}"
        print(f"| {name} | {len(texts) / best:,.1f} | {rate:,.0f} | {shares} | {cosine:.5f} |")
    chosen = Embedder.load(threads=threads)._encoder
    assert isinstance(chosen, TransformerEncoder)
    print(f"\nof the two Waybill would choose {chosen.precision} here\n")
    return rows


def encoder(precision: str, texts: Sequence[str], threads: int) -> Callable[[], np.ndarray]:
    embedder = Embedder.load(threads=threads, precision=precision)
    return lambda: embedder.encode(texts)


def product_rate(kind) -> float:
    """GFLOP/s of the best of a few products."""
    import torch

    a, b = torch.randn(1024, 1536).to(kind), torch.randn(1536, 1536).to(kind)
    seconds = []
    for _ in range(6):
        began = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - began)
    return 2 * 1024 * 1536 * 1536 / min(seconds) / 1e9


def tokens(model, texts: Sequence[str]) -> np.ndarray:
    encoded = model.tokenizer(list(texts), truncation=True, max_length=model.max_seq_length)
    return np.array([len(ids) for ids in encoded["input_ids"]], dtype=float)


def operations(model, texts: Sequence[str]) -> float:
    """Additions and multiplications that the prompts' own tokens need, padding not counted."""
    config, n = model[0].auto_model.config, tokens(model, texts)
    h, f = config.hidden_size, config.intermediate_size
    return float((config.num_hidden_layers * (2 * n * (4 * h * h + 2 * h * f) + 4 * n * n * h)).sum())


# The static embedding


def static_costs() -> dict[str, float]:
    """Microseconds of CPU a prompt: embedding it, finding its vector in a cache, keeping it there."""
    embedder = Embedder.from_files("static", static_files(static_folder(print)))
    texts = [prompt.text for prompt in islice(write_prompts(SEED + 1), STATIC_PROMPTS)]
    parts = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    embedder.encode(parts[0])
    with tempfile.TemporaryDirectory() as folder:
        cache = VectorCache(Path(folder), fingerprint="benchmark", dimension=embedder.dimension)
        vectors = [embedder.encode(part) for part in parts]
        found = {
            "embed": timed(lambda n: embedder.encode(parts[n]), len(parts)),
            "look up, not there": timed(lambda n: cache.get(keys(parts[n])), len(parts)),
            "keep": timed(lambda n: cache.put(keys(parts[n]), vectors[n]), len(parts)),
            "look up, there": timed(lambda n: cache.get(keys(parts[n])), len(parts)),
        }
    print("| static embedding, chunks of 512 | µs CPU a prompt |\n|---|---|")
    print("\n".join(f"| {name} | {value:.0f} |" for name, value in found.items()), "\n")
    return found


def keys(texts: Sequence[str]) -> list[bytes]:
    return [text_key(text) for text in texts]


def timed(step: Callable[[int], object], parts: int) -> float:
    began = time.process_time()
    for part in range(parts):
        step(part)
    return 1e6 * (time.process_time() - began) / (parts * CHUNK)


if __name__ == "__main__":
    main()
