"""The names that users import: `from waybill import Waybill`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.errors import SettingsError, UnknownBatch, UsageError, WaybillError
    from tasks.formats.errors import FormatError, OptionsError
    from tasks.formats.requests import InputError
    from tasks.formats.results import ResultRecord
    from tasks.store.batch_progress import Progress
    from tasks.submission.estimate_values import Estimate
    from workers.async_client import AsyncBatch, AsyncWaybill
    from workers.batch import Batch
    from workers.client import Waybill
    from workers.errors import ServerError

__all__ = [
    "AsyncBatch", "AsyncWaybill", "Batch", "Estimate", "FormatError", "InputError", "OptionsError",
    "Progress", "ResultRecord", "ServerError", "SettingsError", "UnknownBatch", "UsageError", "Waybill",
    "WaybillError",
]  # fmt: skip

_MODULES = {
    "AsyncBatch": "workers.async_client",
    "AsyncWaybill": "workers.async_client",
    "Batch": "workers.batch",
    "Estimate": "tasks.submission.estimate_values",
    "FormatError": "tasks.formats.errors",
    "InputError": "tasks.formats.requests",
    "OptionsError": "tasks.formats.errors",
    "Progress": "tasks.store.progress",
    "ResultRecord": "tasks.formats.results",
    "ServerError": "workers.errors",
    "SettingsError": "tasks.errors",
    "UnknownBatch": "tasks.errors",
    "UsageError": "tasks.errors",
    "Waybill": "workers.client",
    "WaybillError": "tasks.errors",
}


def __getattr__(name: str) -> Any:
    """Import a name at its first use (PEP 562), so that `import waybill` alone loads nothing heavy."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
