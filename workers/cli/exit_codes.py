"""The exit statuses of the command."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit status; scripts rely on these numbers."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    SOME_FAILED = 3
    BUDGET_STOP = 4
