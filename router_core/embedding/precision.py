"""In which precision this machine multiplies matrices fastest, measured.

Processors with bfloat16 units multiply in it two to four times as fast as in float32, others emulate it and
are slower. Sums are kept in float32 either way: MiniLM's vectors differ by a cosine below 0.0001.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "bfloat16"]

#: A measurement within this of a tie keeps float32, whose vectors are the published ones.
_MARGIN = 1.3
_ROUNDS = 5


def faster_precision(device: str) -> Precision:
    """Time products as large as a batch's on a CPU; elsewhere float32."""
    import torch

    if not device.startswith("cpu"):
        return "float32"
    slow, fast = (min(_times(kind)) for kind in (torch.float32, torch.bfloat16))
    return "bfloat16" if slow > _MARGIN * fast else "float32"


def _times(kind: torch.dtype) -> list[float]:
    """Seconds of each round after the first, which prepares its kernels."""
    import torch

    texts, weights = torch.ones((1024, 384), dtype=kind), torch.ones((384, 1536), dtype=kind)
    seconds = []
    for _ in range(_ROUNDS + 1):
        began = time.perf_counter()
        torch.mm(texts, weights)
        seconds.append(time.perf_counter() - began)
    return seconds[1:]
