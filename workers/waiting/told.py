"""What somebody who waits for a batch was told of: each thing once, until what failed is sent again."""

from __future__ import annotations

import time
from collections.abc import Hashable


class Told:
    """What was warned of already."""

    def __init__(self) -> None:
        self._known: set[Hashable] = set()
        self._began: float | None = None

    def begin_again(self, began: float) -> None:
        """Forget it all: what failed is sent again since `began` (monotonic); earlier errors are no news."""
        self._known.clear()
        self._began = began

    def is_past(self, seconds_ago: float) -> bool:
        """Return whether something so long ago was before what failed was sent again."""
        return self._began is not None and seconds_ago > time.monotonic() - self._began

    def is_new(self, thing: Hashable) -> bool:
        """Return whether it was not told yet, and note that it is now."""
        is_new = thing not in self._known
        self._known.add(thing)
        return is_new
