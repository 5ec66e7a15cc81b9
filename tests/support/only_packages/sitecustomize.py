"""Lets a process import only the modules that $WAYBILL_TEST_MODULES names, and the standard library's."""

import importlib.abc
import os
import sys
from collections.abc import Sequence

_ALLOWED = {*os.environ.get("WAYBILL_TEST_MODULES", "").split(","), *sys.stdlib_module_names}


class _OnlyAllowed(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> None:
        if path is None and name not in _ALLOWED and not name.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, _OnlyAllowed())
