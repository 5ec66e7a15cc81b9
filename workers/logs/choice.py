"""The choice of the log's form, which child processes take over."""

from __future__ import annotations

import os
from enum import StrEnum

#: the environment variable that the child processes of a worker or of the stack read
VARIABLE = "WAYBILL_LOG_FORMAT"


class LogFormat(StrEnum):
    """The form of the log on stderr."""

    TEXT = "text"
    JSON = "json"

    def choose(self) -> None:
        """Let this process and those that it starts write their logs so."""
        os.environ[VARIABLE] = self


def chosen_format() -> LogFormat:
    """Return the form that the environment names."""
    return LogFormat(os.environ.get(VARIABLE) or LogFormat.TEXT)
