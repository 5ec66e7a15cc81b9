"""The options of `waybill submit` for requests that repeat others, and the report on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, get_args

import typer

if TYPE_CHECKING:
    from tasks.formats.determinism import Dedupe
    from tasks.submission.batch_writer import SubmissionProgress

DedupeName = Annotated[
    str | None,
    typer.Option(
        "--dedupe",
        metavar="WHICH",
        help="Which equal requests are answered by one call: all, deterministic or off. "
        "Default: `dedupe` of the settings.",
    ),
]
Reuse = Annotated[
    str | None,
    typer.Option(
        metavar="AGE",
        help="Take answers of earlier batches to equal requests in place of calls, if at most this old, such "
        "as 30d.",
    ),
]
ReuseAny = Annotated[
    bool,
    typer.Option("--reuse-any", help="With --reuse: also answers drawn at random (temperature above 0)."),
]
NoDedupe = Annotated[bool, typer.Option("--no-dedupe", help="Make a call for each request: --dedupe off.")]


def parse_dedupe(name: str | None, no_dedupe: bool) -> Dedupe | None:
    """Return the choice of the two options; None where neither was given.

    Raises:
        UsageError: There is no such choice.
    """
    from tasks.errors import UsageError
    from tasks.formats.determinism import Dedupe

    if no_dedupe:
        return "off"
    choices = {choice: choice for choice in get_args(Dedupe)}
    if name is None or name in choices:
        return None if name is None else choices[name]
    raise UsageError(f"--dedupe {name}: choose one of {', '.join(choices)}")


def repeats_text(state: SubmissionProgress | None) -> str | None:
    """Return what to say about the duplicates of a submitted batch; None without any."""
    if state is None or not state.duplicates:
        return None
    text = f"{state.duplicates:,} of {state.requests:,} requests repeat others"
    if not state.random_duplicates:
        return text
    return (
        f"{text}; {state.random_duplicates:,} of them with temperature above 0 share one answer "
        '(--no-dedupe, or dedupe = "deterministic", has each answered by itself)'
    )
