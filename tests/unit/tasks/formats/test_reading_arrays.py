"""JSON arrays are read element by element, and JSON values as the standard library reads them."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.formats.errors import FormatError, LineRejected
from tasks.formats.inputs.json_rows import json_value
from tasks.formats.reading import InputError, InputFormat, InputLimits, read_requests


def array(path: Path, text: str, **limits: int) -> list[tuple[int, str]]:
    path.write_text(text)
    items = read_requests(path, models=[], limits=InputLimits(**limits))
    return [(item.line, item.code if isinstance(item, InputError) else item.prompt) for item in items]


def test_a_json_array_is_read_element_by_element(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    assert array(path, '\ufeff [\n{"prompt": "a"},\n {"prompt": "b"} , 7 ]\n') == [
        (1, "a"), (2, "b"), (3, "not_an_object"),
    ]  # fmt: skip
    many = json.dumps([{"prompt": f"p{n}" + "x" * (n % 700)} for n in range(2_000)])
    assert len(array(path, many)) == 2_000
    long = json.dumps([{"prompt": "x" * 200_000}, {"prompt": "b"}])
    assert array(path, long, max_line_bytes=100_000) == [(1, "line_too_long"), (2, "b")]
    assert array(path, '{"prompt": "a"}\n{"prompt": "b"}\n') == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    "text",
    [
        '[{"prompt": "a"}, {"prom',
        '[{"prompt": "a"} {"prompt": "b"}]',
        '[{"prompt": "a"},]',
        '[{"prompt": "a"}',
    ],
)
def test_a_broken_array_names_the_element_and_is_never_read_further(tmp_path: Path, text: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    items = read_requests(path, models=[])
    assert next(items).line == 1
    with pytest.raises(FormatError, match=r"element [12]: "):
        next(items)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(VALUES, st.booleans())
def test_a_json_value_is_what_the_standard_library_reads(value: object, escaped: bool) -> None:
    text = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    assert json_value(text) == json.loads(json.dumps(value))


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_what_the_standard_library_refuses_is_an_error(text: bytes) -> None:
    try:
        expected: object = json.loads(text.decode())
    except ValueError:
        assert isinstance(json_value(text), LineRejected)
    else:
        assert repr(json_value(text)) == repr(expected)


def test_an_array_in_a_jsonl_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text('[\n{"prompt": "a"},\n{"prompt": "b"}\n]\n')
    items = list(read_requests(path, models=[]))
    errors = [item for item in items if isinstance(item, InputError)]
    assert [error.line for error in errors] == [1, 2, 4]
    assert all("--format json" in error.reason for error in errors)
    assert len(list(read_requests(path, models=[], format=InputFormat.JSON))) == 2


def test_the_reason_of_a_control_character_ends_with_what_it_is() -> None:
    refused = json_value(b'{"prompt": "a\tb"}')
    assert isinstance(refused, LineRejected)
    assert refused.reason == "invalid JSON at column 14: Invalid control character"
