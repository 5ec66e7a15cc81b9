"""The name that users import: `from waybill import Waybill`. Everything behind it is in `workers.client`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers.client import Batch, Waybill

__all__ = ["Batch", "Waybill"]


def __getattr__(name: str) -> Any:
    """Import the client at first use (PEP 562), so that `import waybill` alone loads nothing heavy."""
    if name in __all__:
        from workers import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
