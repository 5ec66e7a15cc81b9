"""What can go wrong with a batch file.

FormatsError
├── FormatError     the file as a whole: stop, and tell the user which file and why
└── LineRejected    one line of it: report the line, and go on with the next

No text of these holds a prompt or an answer: they reach logs.
"""

from pathlib import Path


class FormatsError(Exception):
    """Base of every error of this package."""


class FormatError(FormatsError):
    """A file that cannot be read or written at all."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class LineRejected(FormatsError):
    """One line that cannot become a request; `code` is stable, `reason` is for people."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
