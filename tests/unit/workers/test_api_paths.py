"""What the API says of a path that does not exist."""

import json

import pytest
from starlette.exceptions import HTTPException

from workers.api.errors.responses import of_http


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/v1/nothing", ""),
        ("/files", ": the API is under /v1"),
        ("/v1x/files", ": the API is under /v1"),
        (
            "/v1/chat/completions",
            ": this server answers batches: put the request into a file, see POST /v1/batches",
        ),
        (
            "/chat/completions",
            ": this server answers batches: put the request into a file, see POST /v1/batches",
        ),
    ],
)
def test_an_unknown_path_is_answered_with_what_was_probably_meant(path: str, advice: str) -> None:
    response = of_http(HTTPException(404), path)
    error = json.loads(bytes(response.body))["error"]
    assert (response.status_code, error["code"]) == (404, "not_found")
    assert error["message"] == f"no such path{advice}"
