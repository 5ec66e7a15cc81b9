"""The errors of batch files.

FormatsError
├── FormatError     the file as a whole: stop, and report the file and the reason
└── LineRejected    one line of it: report the line, and go on with the next

Their messages reach logs, so none of them quotes a prompt or an answer.
"""

from pathlib import Path


class FormatsError(Exception):
    """The base class of every error of this package."""


class FormatError(FormatsError):
    """A file that cannot be read or written at all."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class LineRejected(FormatsError):
    """A line that is not a valid request; `code` is a stable identifier, `reason` is text for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
