"""The options that say what an answer must be, and what becomes of one that is not."""

from __future__ import annotations

from typing import Annotated

import typer

Validate = Annotated[
    str | None,
    typer.Option(
        metavar="off|flag|retry",
        help="Answers that do not fit their schema or a validator: check nothing, keep and mark them, or ask "
        "again. Default: that of [dispatch].",
    ),
]
Validators = Annotated[
    list[str] | None,
    typer.Option(
        "--validator",
        metavar="regex:PATTERN|json|python-syntax",
        help="A check that every answer must pass; may be repeated.",
    ),
]
Checks = Annotated[
    bool,
    typer.Option(
        "--checks", help="Of two answers, one that fits its schema or validators beats one that does not."
    ),
]
