"""The processes: the `waybill` command, worker roles, the local supervisor and the provider simulator.

`Waybill` is the same from Python (see `workers.client`).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers.client import Waybill

__all__ = ["Waybill"]


def __getattr__(name: str) -> Any:
    """Import the client when it is asked for: a worker process needs none of it."""
    if name == "Waybill":
        from workers.client import Waybill

        return Waybill
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
