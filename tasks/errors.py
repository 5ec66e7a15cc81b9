"""The errors of the tasks package, grouped by what the caller should do.

WaybillError
├── SettingsError       fix waybill.toml or the environment
├── UsageError          fix the call
│   ├── UnknownBatch
│   │   └── BatchWithoutRequests
│   └── NotResumed      give the same prompts again: the batch stays as it was
├── UnreadableOptions   use the Waybill that stored them, or a newer one
└── StaleWork           stop: another worker holds the chunk now
"""

from __future__ import annotations


class WaybillError(Exception):
    """The base class of every error that Waybill raises on purpose."""


class SettingsError(WaybillError):
    """Wrong settings; the message names the file, the key and the reason."""


class UsageError(WaybillError):
    """A call that needs something that does not exist or is not allowed."""


class UnknownBatch(UsageError):
    """A batch id that is not in the store."""

    def __init__(self, batch_id: str | None) -> None:
        super().__init__(
            f"no batch {batch_id!r} in the store" if batch_id else "the store holds no batch yet"
        )


class NotResumed(UsageError):
    """Lines that are given again are not those that their batch holds; it stays as it was."""


class BatchWithoutRequests(UnknownBatch):
    """A batch of the API of which no request is stored: it failed its check, or is in it."""

    def __init__(self, why: str) -> None:
        UsageError.__init__(self, why)


class UnreadableOptions(WaybillError):
    """Options of a batch in a form that this Waybill does not know."""


class StaleWork(WaybillError):
    """A chunk that this worker no longer holds: its lease expired or its batch was cancelled."""
