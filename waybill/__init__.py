"""The names that users import (`from waybill import Waybill`), of `workers.client` and `workers.batch`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers.batch import Batch
    from workers.client import Waybill

__all__ = ["Batch", "Waybill"]


def __getattr__(name: str) -> Any:
    """Import the client at first use (PEP 562), so that `import waybill` alone loads nothing heavy."""
    if name == "Waybill":
        from workers.client import Waybill

        return Waybill
    if name == "Batch":
        from workers.batch import Batch

        return Batch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
