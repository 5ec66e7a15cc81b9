"""The options that say what an answer must be, and what becomes of one that is not."""

from __future__ import annotations

from typing import Annotated

import typer

Validate = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="Answers that do not fit their schema or a validator: off checks nothing, flag keeps and marks "
        "them, retry asks again. Default: that of [dispatch].",
    ),
]
Validators = Annotated[
    list[str] | None,
    typer.Option(
        "--validator",
        metavar="CHECK",
        help="What every answer must pass: json, python-syntax or regex:PATTERN; may be repeated.",
    ),
]
Checks = Annotated[
    bool,
    typer.Option(
        "--checks", help="Of two answers, one that fits its schema or validators beats one that does not."
    ),
]
