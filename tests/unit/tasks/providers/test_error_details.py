"""What of a provider's error may be shown: its code, type and parameter, where they look like such."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.providers.error_details import details_of


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            {
                "error": {
                    "message": "m",
                    "type": "invalid_request_error",
                    "param": "n",
                    "code": "invalid_value",
                }
            },
            ("invalid_value", "invalid_request_error", "n"),
        ),
        ({"type": "error", "error": {"type": "overloaded_error"}}, (None, "overloaded_error", None)),
        ({"error": {"code": 400, "status": "INVALID_ARGUMENT"}}, (None, "INVALID_ARGUMENT", None)),
        ({"__type": "ValidationException", "message": "m"}, (None, "ValidationException", None)),
        ({"error": {"param": "tools.0.function.name"}}, (None, None, "tools.0.function.name")),
        (
            {"error": {"param": "messages[12].content[3].image_url"}},
            (None, None, "messages[12].content[3].image_url"),
        ),
    ],
)
def test_what_a_server_names_is_shown(body: dict[str, Any], shown: tuple[str | None, ...]) -> None:
    details = details_of(body)
    assert (details.shown_code, details.shown_type, details.shown_param) == shown


@pytest.mark.parametrize(
    "text",
    [
        "a prompt",
        "sk-wb-abc",
        "AKIA7",
        "Hello",
        "e\nmail",
        "a" * 49,
        "name@example.com",
        "x.y z",
        "john.doe.example.com",
        "attack_at_dawn",
        "ATTACK_AT_DAWN",
        "AKIAABCDEFGHIJKLMNOP",
        ["n"],
    ],
)
def test_what_may_be_a_text_or_a_key_is_not_shown(text: object) -> None:
    details = details_of({"error": {"type": text, "param": text, "message": "m"}})
    assert (details.shown_type, details.shown_param) == (None, None)


def test_the_names_that_a_user_gave_end_the_path_of_a_parameter() -> None:
    path = "response_format.json_schema.schema.properties.patient_smith.type"
    assert details_of({"error": {"param": path}}).shown_param == "response_format.json_schema.schema"
    assert details_of({"error": {"param": "metadata.patient_smith"}}).shown_param is None
