"""The errors of the workers package, by what the caller can do about them.

WorkersError              a WaybillError (tasks.errors)
├── StackRunningError      stop the stack that runs already, or use it
├── StackStartError        read the message: it quotes the part of the stack that did not start
├── MissingPartError       install the extra that the message names
└── ServerError            see whether the API server runs, and try again
"""

from __future__ import annotations

from tasks.errors import WaybillError


class WorkersError(WaybillError):
    """The base class of the errors that the workers package raises."""


class StackRunningError(WorkersError):
    """A local stack runs in this home already."""


class StackStartError(WorkersError):
    """A part of the local stack did not start."""


class MissingPartError(WorkersError):
    """A package that belongs to an extra is not installed."""


class ServerError(WorkersError):
    """An API server that cannot be reached, or fails."""
