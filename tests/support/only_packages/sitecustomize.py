"""Lets a process find only the modules that $WAYBILL_TEST_MODULES names, and the standard library's."""

import os
import sys
from collections.abc import Sequence
from typing import Any

_ALLOWED = {*os.environ.get("WAYBILL_TEST_MODULES", "").split(","), *sys.stdlib_module_names}


class _Filtered:
    """A finder for which the other modules are not there."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> Any:
        known = path is not None or name in _ALLOWED or name.startswith("_sysconfigdata")
        return self._finder.find_spec(name, path, target) if known else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


sys.meta_path[:] = [_Filtered(finder) for finder in sys.meta_path]
