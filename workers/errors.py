"""The errors of the workers package, split by what the caller does about them.

WorkersError
├── StackRunningError      stop the stack that runs already, or use it
├── StackStartError        a part of the local stack did not come up: its own words are in the message
└── MissingPartError       install the extra that the message names
"""

from __future__ import annotations


class WorkersError(Exception):
    """Root of everything that the workers package raises on purpose."""


class StackRunningError(WorkersError):
    """A local stack runs here already."""


class StackStartError(WorkersError):
    """A part of the local stack did not come up."""


class MissingPartError(WorkersError):
    """A package that an extra brings along is not installed."""
