"""Errors of the tasks package, split by what the caller does.

WaybillError
├── SettingsError       fix waybill.toml or the environment
├── UsageError          fix the call
│   └── UnknownBatch
└── StaleWork           give up: another worker has it now
"""

from __future__ import annotations


class WaybillError(Exception):
    """Every error Waybill raises on purpose."""


class SettingsError(WaybillError):
    """The settings are wrong: the message names the file, the key and the reason."""


class UsageError(WaybillError):
    """The call asks for something that is not there or not allowed."""


class UnknownBatch(UsageError):
    """No batch has this id."""

    def __init__(self, batch_id: str | None) -> None:
        super().__init__(
            f"no batch {batch_id!r} in the store" if batch_id else "the store holds no batch yet"
        )


class StaleWork(WaybillError):
    """This worker no longer holds the chunk: its lease expired or its batch was cancelled."""
