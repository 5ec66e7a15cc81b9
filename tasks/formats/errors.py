"""The errors of batch files.

FormatsError
├── OptionsError    options that contradict each other or fit no input: report them
├── FormatError     the file as a whole: stop, and report the file and the reason
│   ├── EmptyFileError  it holds no requests
│   └── UnreadableError its place fails, not its content: another time it may be read
└── LineRejected    one line of it: report the line, and go on with the next
    └── WrongKind   a parameter's value is not of its kind

Their messages reach logs, so none of them quotes a prompt or an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.formats.locations.location import Location


class FormatsError(Exception):
    """The base class of every error of this package."""


class OptionsError(FormatsError):
    """Options of a reading that contradict each other, or that no input can have."""


class FormatError(FormatsError):
    """A file that cannot be read or written at all."""

    def __init__(self, path: Location, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class EmptyFileError(FormatError):
    """A file that holds no requests."""

    def __init__(self, path: Location, reason: str = "holds no requests") -> None:
        super().__init__(path, reason)


class UnreadableError(FormatError):
    """A file that cannot be read now: its disk or its server fails, and says nothing of its content."""


class LineRejected(FormatsError):
    """A line that is not a valid request.

    Attributes:
        code: A stable identifier.
        reason: A text for people.
        given_id: The id of the line as it was read, if it is known.
    """

    def __init__(self, code: str, reason: str, given_id: object = None) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
        self.given_id = given_id


class WrongKind(LineRejected):
    """A parameter whose value is not of its kind; in a data set, its name may mean something else."""
