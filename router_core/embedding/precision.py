"""The precision in which this machine multiplies matrices faster, found by measurement.

Processors with bfloat16 units multiply two to four times as fast in bfloat16 as in float32. Other processors
emulate bfloat16 and are slower with it. Sums are accumulated in float32 in both cases; the cosine distance
between MiniLM's vectors in the two precisions is below 0.0001.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "bfloat16"]

#: bfloat16 must be faster by this factor; otherwise float32 is kept, whose vectors are the published ones.
_MIN_SPEEDUP = 1.3
_ROUNDS = 5


def faster_precision(device: str) -> Precision:
    """Return the faster precision on a CPU, by timing products as large as a batch's; elsewhere float32."""
    import torch

    if not device.startswith("cpu"):
        return "float32"
    slow, fast = (min(_times(dtype)) for dtype in (torch.float32, torch.bfloat16))
    return "bfloat16" if slow > _MIN_SPEEDUP * fast else "float32"


def _times(dtype: torch.dtype) -> list[float]:
    """Return the seconds of each round but the first, in which torch prepares its kernels."""
    import torch

    texts, weights = torch.ones((1024, 384), dtype=dtype), torch.ones((384, 1536), dtype=dtype)
    seconds = []
    for _ in range(_ROUNDS + 1):
        start = time.perf_counter()
        torch.mm(texts, weights)
        seconds.append(time.perf_counter() - start)
    return seconds[1:]
