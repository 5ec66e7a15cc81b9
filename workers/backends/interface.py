"""What the Python API needs of a place that has batches; ids are those of batches, money is micro-dollars."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tasks.formats.inputs.options import InputOptions
from tasks.formats.requests import InputError
from tasks.formats.results import ResultRecord
from tasks.store.batch_progress import Progress
from tasks.submission.estimate_values import Estimate
from workers.prompts import Prompts

OnError = Callable[[InputError], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What is submitted, and how.

    Attributes:
        prompts: The prompts, as they were given.
        reading: How they are read.
        choices: Arguments of `tasks.submission.options.options_for`.
        budget: The cap on the cost.
        strict: Whether a bad line refuses all.
        stream: Whether work begins before all are stored.
        resume: The id of the batch that gets the rest of them.
    """

    prompts: Prompts
    reading: InputOptions
    choices: Mapping[str, Any]
    budget: int | None
    strict: bool
    stream: bool
    resume: str | None


class Backend(Protocol):
    """A place that has batches."""

    #: how often, in seconds, the progress of a batch may be asked for
    poll_s: float

    @property
    def place(self) -> str:
        """Where it is, without passwords and keys."""

    def submit(self, submission: Submission, on_error: OnError) -> str:
        """Submit a batch and return its id; `on_error` gets each bad line."""

    def estimate(self, submission: Submission, on_error: OnError) -> Estimate:
        """Return what the batch would cost, without making it; `on_error` gets each bad line."""

    def find(self, batch_id: str | None) -> str:
        """Return the id of this batch, or of the newest; raises UnknownBatch."""

    def newest(self, limit: int) -> list[Progress]:
        """Return the progress of the newest batches, newest first."""

    def progress(self, batch_id: str) -> Progress:
        """Return the progress of a batch; raises UsageError if it never ran."""

    def exhausted_text(self, state: Progress) -> str:
        """Return what a batch that has ended lacked of its budget; empty if nothing."""

    def results(self, batch_id: str, *, failed: bool | None) -> Iterator[ResultRecord]:
        """Yield the results in input order, then bad lines; `failed` names those that are wanted."""

    def input_errors(self, batch_id: str) -> list[InputError]:
        """Return the bad lines."""

    def cancel(self, batch_id: str) -> int:
        """Cancel a batch and return the number of requests cancelled."""

    def pause(self, batch_id: str) -> None:
        """Begin nothing more of a batch."""

    def resume(self, batch_id: str) -> None:
        """Let a batch go on."""

    def set_budget(self, batch_id: str, budget: int) -> None:
        """Set the cap of a running batch."""

    def retry(self, batch_id: str, budget: int | None) -> int:
        """Send again what failed and return how many requests."""

    def delete_data(self, batch_id: str) -> None:
        """Delete the prompts and answers of a batch."""

    def close(self) -> None:
        """Close what is open."""
