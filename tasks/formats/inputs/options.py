"""How an input is to be read, where its names alone do not say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.endpoints.registry import ENDPOINTS
from tasks.formats.errors import OptionsError
from tasks.formats.inputs.csv_dialect import checked_delimiter
from tasks.formats.inputs.defaults import Defaults, checked_defaults
from tasks.formats.inputs.encoding import checked_encoding
from tasks.formats.inputs.template import Template, parse_template
from tasks.parameters.extra import UNMISTAKABLE
from tasks.parameters.kinds import Kind

_Choice = TypeVar("_Choice", bound=StrEnum)


class InputFormat(StrEnum):
    """The format of a batch file; each line of a JSONL file is either an OpenAI Batch line or a plain one."""

    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"
    TEXT = "text"


class Shape(StrEnum):
    """A known layout of data sets and of other providers' batch files (`tasks.formats.inputs.shapes`)."""

    ALPACA = "alpaca"
    SHAREGPT = "sharegpt"
    MT_BENCH = "mt-bench"
    FINE_TUNING = "fine-tuning"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"


@dataclass(frozen=True, slots=True)
class InputOptions:
    """The options of a reading; a column is a column of a table or a key of a JSON line.

    Attributes:
        format: The format; None for the one of the file's extension.
        shape: The known layout that the lines have; None for Waybill's own and OpenAI's.
        prompt_column: The column that holds the prompt, or a list of messages.
        id_column: The column that holds the id.
        system_column: The column that holds the system message.
        param_columns: The columns that are parameters of the request, its model among them; None for those
            that are called like one.
        template: The prompt, with placeholders for columns.
        delimiter: The character between the cells of a CSV file; None for the one found in its header.
        encoding: The encoding of a text file; None for UTF-8 or the one of its byte order mark.
        quotes: Whether quotes in CSV hold a cell together; False takes them as text.
        follow_links: Whether a file may be a symbolic link.
        endpoint: The path of the API that lines are for which do not say so themselves.
        model: The model of lines that name none, where their endpoint is not routed.
        defaults: What lines get that do not set it; None for nothing.
    """

    format: InputFormat | None = None
    shape: Shape | None = None
    prompt_column: str | None = None
    id_column: str | None = None
    system_column: str | None = None
    param_columns: tuple[str, ...] | None = None
    template: Template | None = None
    delimiter: str | None = None
    encoding: str | None = None
    quotes: bool = True
    follow_links: bool = False
    endpoint: str = CHAT_PATH
    model: str | None = None
    defaults: Defaults | None = None

    def __post_init__(self) -> None:
        """Raise OptionsError where two options contradict each other."""
        of_prompt = {"shape": self.shape, "prompt column": self.prompt_column, "template": self.template}
        given = [name for name, value in of_prompt.items() if value is not None]
        if len(given) > 1:
            raise OptionsError(f"a {given[0]} and a {given[1]}: only one of them can make the prompt")
        if self.shape is not None and self.system_column is not None:
            raise OptionsError("a shape has its own system message: no system column can be named")
        if self.shape is not None and self.endpoint != CHAT_PATH:
            raise OptionsError(f"a shape makes conversations, which {self.endpoint} does not take")

    @property
    def maps_columns(self) -> bool:
        """Whether the columns have other meanings than those that their names say."""
        names = (self.prompt_column, self.id_column, self.system_column, self.param_columns, self.template)
        return self.shape is not None or any(name is not None for name in names)


def input_options(
    *,
    format: str | None = None,
    shape: str | None = None,
    prompt_column: str | None = None,
    id_column: str | None = None,
    system_column: str | None = None,
    param_columns: Sequence[str] | None = None,
    template: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    quotes: bool = True,
    follow_links: bool = False,
    endpoint: str | None = None,
    models: Sequence[str] = (),
    defaults: Defaults | None = None,
) -> InputOptions:
    """Return the options as people give them, as texts; raises OptionsError for one that is wrong.

    `models` are those that the batch may use: a single one answers what is not routed. `defaults` are what
    lines get that do not set it.
    """
    path = CHAT_PATH if endpoint is None else _endpoint(endpoint)
    return InputOptions(
        format=None if format is None else _choice(format, InputFormat, "format"),
        shape=None if shape is None else _choice(shape, Shape, "shape"),
        prompt_column=prompt_column,
        id_column=id_column,
        system_column=system_column,
        param_columns=None if param_columns is None else tuple(dict.fromkeys(param_columns)),
        template=None if template is None else parse_template(template),
        delimiter=None if delimiter is None else checked_delimiter(delimiter),
        encoding=None if encoding is None else checked_encoding(encoding),
        quotes=quotes,
        follow_links=follow_links,
        endpoint=path,
        model=models[0] if len(models) == 1 else None,
        defaults=None if defaults in (None, Defaults()) else checked_defaults(defaults, path),
    )


def _choice(name: str, choices: type[_Choice], what: str) -> _Choice:
    try:
        return choices(name)
    except ValueError:
        raise OptionsError(f"{name!r} is no {what}: {', '.join(choices)}") from None


def _endpoint(name: str) -> str:
    """Return the path of an endpoint, which may be named without its first part: `embeddings`."""
    path = name if name in ENDPOINTS else f"/v1/{name}"
    if path not in ENDPOINTS:
        raise OptionsError(f"{name!r} is no endpoint: {', '.join(ENDPOINTS)}")
    return path


def no_notice(_text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one input is read: its options, and what they are checked against.

    Attributes:
        options: The options given.
        models: The names that a request may set as its model.
        parameters: The parameters that a line may set, with their kinds; None for those that only some model
            knows.
        notice: Called with what people should know of the reading, once for each subject.
        maps_columns: Whether the options give the columns other meanings than their names say.
        seen: The keys of lines that were looked at for slips.
    """

    options: InputOptions
    models: frozenset[str] = frozenset()
    parameters: Mapping[str, Kind | None] = field(default_factory=dict)
    notice: Callable[[str], None] = no_notice
    maps_columns: bool = False
    seen: set[str] = field(default_factory=set, compare=False)


def plan_for(
    options: InputOptions,
    *,
    models: frozenset[str],
    extra: frozenset[str] = frozenset(),
    notice: Callable[[str], None] = no_notice,
) -> Plan:
    """Return the plan of a reading; raises OptionsError if `param_columns` names no parameter."""
    own = {name: parameter.kind for name, parameter in ENDPOINTS[options.endpoint].parameters.items()}
    parameters: dict[str, Kind | None] = {**dict.fromkeys(extra | UNMISTAKABLE), **own}
    unknown = [name for name in options.param_columns or () if name != "model" and name not in parameters]
    if unknown:
        raise OptionsError(f"{unknown[0]!r} is not a parameter that a request can set")
    return Plan(options, models, parameters, once(notice), options.maps_columns)


def once(notice: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that says each text only once."""
    said: set[str] = set()

    def say(text: str) -> None:
        if text not in said:
            said.add(text)
            notice(text)

    return say
