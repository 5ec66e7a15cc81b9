"""The options that say how an input is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tasks.formats.reading import InputOptions


@dataclass(frozen=True, slots=True)
class InputChoices:
    """How an input is read, as the options of a command give it."""

    format: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="jsonl, json, csv, parquet, arrow or text; default: by the file's extension."
        ),
    ] = None
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The known layout of a data set or of another provider's batch file: alpaca, sharegpt, "
            "mt-bench, fine-tuning, anthropic or gemini.",
        ),
    ] = None
    prompt_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The column or JSON key that holds the prompt or messages."),
    ] = None
    id_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The column or key that holds the id; default: id or custom_id."),
    ] = None
    system_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The column or key that holds the system message; default: system."
        ),
    ] = None
    param_columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Columns that are parameters, such as temperature; none: no column is. Default: those with "
            "a parameter's name.",
        ),
    ] = None
    template: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Make the prompt from columns: 'Translate: {text}'.")
    ] = None
    delimiter: Annotated[
        str | None,
        typer.Option(metavar="CHAR", help="CSV: the character between cells; default: by the header."),
    ] = None
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Default: UTF-8, or by the byte order mark.")
    ] = None
    quotes: Annotated[
        bool,
        typer.Option("--quotes/--no-quotes", help="CSV: quotes are text; they do not hold a cell together."),
    ] = True
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Read files that are symbolic links.")
    ] = False
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="The endpoint of lines without a url, such as /v1/embeddings; "
            "default: /v1/chat/completions.",
        ),
    ] = None

    def checked(self, models: tuple[str, ...] = ()) -> InputOptions:
        """Return the options of the reading; raises BadParameter for wrong or contradictory ones.

        `models` are those that may answer: a single one answers what is not routed.
        """
        from tasks.formats.errors import OptionsError
        from tasks.formats.inputs.options import input_options

        try:
            return input_options(
                format=self.format,
                shape=self.shape,
                prompt_column=self.prompt_column,
                id_column=self.id_column,
                system_column=self.system_column,
                param_columns=_names(self.param_columns),
                template=self.template,
                delimiter=self.delimiter,
                encoding=self.encoding,
                quotes=self.quotes,
                follow_links=self.follow_links,
                endpoint=self.endpoint,
                models=models,
            )
        except OptionsError as error:
            raise typer.BadParameter(str(error)) from None


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    return () if names == ["none"] else tuple(name for name in names if name)
