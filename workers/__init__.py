"""The processes: the `waybill` command, the workers, the local stack, the simulator; and the Python API.

`from workers import Waybill` still works; users write `from waybill import Waybill`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers.client import Waybill

__all__ = ["Waybill"]


def __getattr__(name: str) -> Any:
    """Import the client at first use (PEP 562): a worker process does not need it."""
    if name == "Waybill":
        from workers.client import Waybill

        return Waybill
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
