"""CSV files as they are read."""

from pathlib import Path

from tasks.formats.inputs.options import InputOptions, input_options
from tasks.formats.reading import InputError, ParsedRequest, read_requests

MODELS = ("small", "large")


def read(
    path: Path, content: str | bytes, notices: list[str] | None = None, **options: object
) -> list[ParsedRequest | InputError]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    chosen: InputOptions = input_options(**options)  # type: ignore[arg-type]
    said = [] if notices is None else notices
    return list(read_requests(path, models=MODELS, options=chosen, on_notice=said.append))


def outcomes(items: list[ParsedRequest | InputError]) -> list[tuple[int, str]]:
    return [(item.line, item.code if isinstance(item, InputError) else item.prompt) for item in items]
