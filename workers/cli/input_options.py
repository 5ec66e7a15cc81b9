"""The options that say how an input is read."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from tasks.formats.reading import InputOptions

_Choice = TypeVar("_Choice", bound=StrEnum)

Format = Annotated[
    str | None,
    typer.Option(metavar="jsonl|json|csv|parquet|arrow|text", help="Default: by the file's extension."),
]
InputShape = Annotated[
    str | None,
    typer.Option(
        "--shape",
        metavar="alpaca|sharegpt|mt-bench|fine-tuning|anthropic|gemini",
        help="The known layout of a data set or of another provider's batch file.",
    ),
]
PromptColumn = Annotated[
    str | None, typer.Option(metavar="NAME", help="The column or JSON key that holds the prompt or messages.")
]
IdColumn = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The column or key that holds the id; default: id or custom_id."),
]
SystemColumn = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The column or key that holds the system message; default: system."),
]
ParamColumns = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="Columns that are parameters, such as temperature; none: no column is. Default: those with a "
        "parameter's name.",
    ),
]
PromptTemplate = Annotated[
    str | None,
    typer.Option("--template", metavar="TEXT", help="Make the prompt from columns: 'Translate: {text}'."),
]
Delimiter = Annotated[
    str | None, typer.Option(metavar="CHAR", help="CSV: the character between cells; default: by the header.")
]
Encoding = Annotated[
    str | None, typer.Option(metavar="NAME", help="Default: UTF-8, or by the byte order mark.")
]
Quotes = Annotated[
    bool,
    typer.Option(
        "--quotes/--no-quotes", help="CSV: whether a quoted cell may hold delimiters and line ends."
    ),
]
EndpointPath = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        metavar="PATH",
        help="The endpoint of lines without a url, such as /v1/embeddings; default: /v1/chat/completions.",
    ),
]


FollowLinks = Annotated[bool, typer.Option("--follow-links", help="Read files that are symbolic links.")]


def input_options(
    *,
    format: str | None,
    shape: str | None = None,
    prompt_column: str | None = None,
    id_column: str | None = None,
    system_column: str | None = None,
    param_columns: str | None = None,
    template: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    quotes: bool = True,
    follow_links: bool = False,
    endpoint: str | None = None,
    models: tuple[str, ...] = (),
) -> InputOptions:
    """Return the options of a reading; raises BadParameter for those that are wrong or contradictory."""
    from tasks.formats.errors import OptionsError
    from tasks.formats.inputs.options import InputFormat, Shape
    from tasks.formats.inputs.options import input_options as checked

    try:
        return checked(
            format=choice(format, InputFormat, "--format"),
            shape=choice(shape, Shape, "--shape"),
            prompt_column=prompt_column,
            id_column=id_column,
            system_column=system_column,
            param_columns=_names(param_columns),
            template=template,
            delimiter=delimiter,
            encoding=encoding,
            quotes=quotes,
            follow_links=follow_links,
            endpoint=endpoint,
            models=models,
        )
    except OptionsError as error:
        raise typer.BadParameter(str(error)) from None


def choice(name: str | None, choices: type[_Choice], option: str) -> _Choice | None:
    """Return the member of that name, None for None; raises BadParameter for an unknown name."""
    try:
        return None if name is None else choices(name)
    except ValueError:
        known = ", ".join(choices)
        raise typer.BadParameter(f"{name!r} is none of {known}", param_hint=option) from None


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    return () if names == ["none"] else tuple(name for name in names if name)
