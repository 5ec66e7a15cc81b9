"""The batches of an API server, whose answers are given here."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest

from tasks.errors import UsageError, WaybillError
from tasks.formats.inputs.options import InputOptions
from workers.backends.interface import Submission
from workers.backends.server.backend import ServerBackend
from workers.backends.server.connection import base_url
from workers.backends.server.options import metadata_of
from workers.backends.server.progress import progress_of
from workers.backends.stopping import Stop, SubmissionStopped, stopped_by
from workers.errors import ServerError
from workers.submit_options import SubmitOptions, submission_of

BATCH = {
    "id": "batch_1",
    "endpoint": "/v1/chat/completions",
    "status": "completed",
    "input_file_id": "file_in",
    "output_file_id": "file_out",
    "error_file_id": None,
    "created_at": 100,
    "cancelled_at": None,
    "expired_at": None,
}
CHOICES = {"route_only": False, "validators": ()}


class Server:
    """Answers by method and path, in turn, and what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "sleep", lambda _: None)
        self.asked: list[str] = []
        self.answers: dict[str, list[httpx.Response]] = {}
        self.backend = ServerBackend("http://127.0.0.1:1", "sk-wb-key")
        self.backend._server._http = httpx.Client(
            base_url="http://127.0.0.1:1/v1", transport=httpx.MockTransport(self._answer)
        )

    def gives(self, call: str, *answers: httpx.Response) -> None:
        self.answers[call] = list(answers)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path.removeprefix('/v1')}"
        self.asked.append(call)
        answers = self.answers[call]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    one = Server(monkeypatch)
    one.gives("GET /batches/batch_1", _said(BATCH))
    one.gives("GET /models", _said({"data": [{"id": "small"}]}))
    one.gives("POST /files", _said({"id": "file_in"}))
    return one


def _said(body: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body)


def _refused(status: int) -> httpx.Response:
    return _said({"error": {"message": f"refused with {status}"}}, status)


def _line(number: int, text: str) -> bytes:
    body = {"choices": [{"message": {"content": text}}]}
    line = {"id": f"batch_req_{number:016x}", "custom_id": str(number), "error": None}
    response = {"status_code": 200, "body": body}
    return json.dumps({**line, "response": response}, ensure_ascii=False).encode() + b"\n"


def _submission(*, strict: bool = False) -> Submission:
    prompts = [{"prompt": "a", "model": "small"}]
    return Submission(
        prompts=prompts,
        reading=InputOptions(),
        choices=CHOICES,
        budget=None,
        strict=strict,
        stream=False,
        resume=None,
    )


def test_the_routing_policy_travels_in_the_metadata_under_the_same_names() -> None:
    chosen: SubmitOptions = {"policy": "saving", "quality_floor": 0.02, "cost_weight": 0.0}
    assert metadata_of(submission_of(["a"], chosen)) == {
        "waybill_partial": "true",
        "waybill_policy": "saving",
        "waybill_quality_floor": "0.02",
        "waybill_cost_weight": "0.0",
    }


def test_an_answer_may_hold_what_ends_lines_elsewhere(server: Server) -> None:
    text = "a\u2028b\u2029c\u0085d"
    content = _line((1 << 32) + 2, "second") + _line((1 << 32) + 1, text)
    server.gives("GET /files/file_out/content", httpx.Response(200, content=content))
    records = list(server.backend.results("batch_1", failed=None))
    assert [one.line for one in records] == [1, 2]
    assert records[0].body == {"choices": [{"message": {"content": text}}]}


def test_a_line_that_is_no_json_is_not_shown(server: Server) -> None:
    content = b'{"id": "secret\n'
    server.gives("GET /files/file_out/content", httpx.Response(200, content=content))
    with pytest.raises(ServerError) as caught:
        list(server.backend.results("batch_1", failed=None))
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_opening_a_file_is_tried_again_and_only_a_404_means_deleted(server: Server) -> None:
    file = httpx.Response(200, content=_line(1, "a"))
    server.gives("GET /files/file_out/content", _refused(429), _refused(503), file)
    assert len(list(server.backend.results("batch_1", failed=None))) == 1
    server.gives("GET /files/file_out/content", _refused(403))
    with pytest.raises(UsageError, match="refused with 403"):
        list(server.backend.results("batch_1", failed=None))
    server.gives("GET /files/file_out/content", _refused(404))
    with pytest.raises(UsageError, match="its files were deleted"):
        list(server.backend.results("batch_1", failed=None))


@pytest.mark.parametrize("status", ["cancelled", "expired"])
def test_a_batch_that_ended_before_its_check_has_finished(status: str) -> None:
    state = progress_of({"batch": {**BATCH, "status": status, f"{status}_at": 200}, "progress": None})
    assert (state.status, state.finished_at, state.finished) == ("cancelled", 200_000, True)


def test_the_newest_batches_are_read_page_by_page_without_refused_ones(server: Server) -> None:
    ids = [f"batch_{n}" for n in range(1, 6)]
    listed = [{"id": one, "status": "failed" if one == "batch_2" else "cancelled"} for one in ids]
    pages = [
        _said({"data": listed[start : start + 2], "has_more": start < 4, "last_id": ids[min(start + 1, 4)]})
        for start in (0, 2, 4)
    ]
    for one in ids:
        ended = {**BATCH, "id": one, "status": "cancelled", "cancelled_at": 200}
        server.gives(f"GET /batches/{one}/progress", _said({"batch": ended, "progress": None}))
    server.gives("GET /batches", *pages)
    assert [one.batch_id for one in server.backend.newest(500)] == [ids[0], *ids[2:]]
    assert server.asked.count("GET /batches") == 3
    server.asked.clear()
    server.gives("GET /batches", *pages)
    assert [one.batch_id for one in server.backend.newest(2)] == ["batch_1", "batch_3"]
    assert server.asked.count("GET /batches") == 2


def test_files_are_deleted_input_last_also_where_some_are_gone(server: Server) -> None:
    ended = {**BATCH, "status": "cancelled", "cancelled_at": 200}
    server.gives("GET /batches/batch_1/progress", _said({"batch": ended, "progress": None}))
    server.gives("DELETE /files/file_out", _refused(404))
    server.gives("DELETE /files/file_in", _said({"deleted": True}), _refused(404))
    for _ in range(2):
        server.asked.clear()
        server.backend.delete_data("batch_1")
        assert server.asked[-2:] == ["DELETE /files/file_out", "DELETE /files/file_in"]


@pytest.mark.parametrize(("status", "is_deleted"), [(400, True), (500, False)])
def test_the_file_of_a_refused_batch_is_deleted(server: Server, status: int, is_deleted: bool) -> None:
    server.gives("POST /batches", _refused(status))
    server.gives("DELETE /files/file_in", _said({"deleted": True}))
    with pytest.raises(WaybillError, match=str(status)):
        server.backend.submit(_submission(), lambda _: None)
    assert ("DELETE /files/file_in" in server.asked) == is_deleted


def test_a_batch_whose_lines_the_server_finds_bad_fails_at_submit(server: Server) -> None:
    errors = {"data": [{"line": 1, "message": "its model is not the key's"}]}
    server.gives("POST /batches", _said({**BATCH, "status": "validating"}))
    failed = {**BATCH, "status": "failed", "errors": errors}
    server.gives("GET /batches/batch_1", _said({**BATCH, "status": "validating"}), _said(failed))
    server.gives("DELETE /files/file_in", _said({}))
    with pytest.raises(UsageError, match="batch_1 was refused: line 1: its model is not the key's"):
        server.backend.submit(_submission(), lambda _: None)
    assert server.asked[-1] == "DELETE /files/file_in"


def test_what_lines_may_have_is_what_the_server_s_models_take(server: Server) -> None:
    server.gives("GET /models", _said({"data": [], "waybill_extra_params": ["top_k"]}))
    assert server.backend._accepted().parameters == {"top_k"}
    server.gives("GET /models", _said({"data": []}))
    assert "priority" in server.backend._accepted().parameters, "a server of an earlier version"


@pytest.mark.parametrize("strict", [True, False])
def test_bad_lines_that_only_the_server_finds_count_for_its_estimate(server: Server, strict: bool) -> None:
    bad = {"line": 1, "code": "too_long", "reason": "too long", "custom_id": None}
    counts = dict.fromkeys(("duplicates", "input_tokens", "extra_calls", "random_duplicates"), 0)
    answer = {**counts, "requests": 1, "invalid": {"too_long": 1}, "bad_lines": [bad], "mix": None}
    server.gives(
        "POST /estimates", _said({**answer, "models": [], "dropped": {}, "router": "", "best_single": None})
    )
    server.gives("DELETE /files/file_in", _said({}))
    told: list[int] = []
    if strict:
        with pytest.raises(UsageError, match="1 bad line, the first at line 1"):
            server.backend.estimate(_submission(strict=True), lambda error: told.append(error.line))
    else:
        server.backend.estimate(_submission(), lambda error: told.append(error.line))
    assert told == [1]


def test_a_stopped_submission_creates_no_batch(server: Server) -> None:
    stop = Stop()
    stop.set()
    with stopped_by(stop), pytest.raises(SubmissionStopped):
        server.backend.submit(_submission(), lambda _: None)
    assert server.asked == ["GET /models"]


@pytest.mark.parametrize("url", ["http://localhost:808O", "http://[::1", "localhost", None])
def test_what_is_no_address_of_a_server_is_refused(url: Any) -> None:
    with pytest.raises(UsageError, match="url is the address"):
        base_url(url)


def _listed(*named: tuple[str, str], also: Sequence[Mapping[str, Any]] = ()) -> httpx.Response:
    data = [*also]
    data += [{**BATCH, "id": one, "metadata": {"waybill_name": name}} for one, name in named]
    return _said({"data": [*data, {**BATCH, "metadata": None}], "has_more": False, "last_id": "batch_1"})


@pytest.mark.parametrize("name", ["nightly", "every night"])
def test_a_batch_is_found_by_the_name_that_only_it_has(server: Server, name: str) -> None:
    server.gives("GET /batches/nightly", _refused(404))
    server.gives("GET /batches", _listed(("batch_3", name), ("batch_2", "weekly")))
    assert server.backend.find(name) == "batch_3"
    refused = {**BATCH, "id": "batch_4", "status": "failed", "metadata": {"waybill_name": name}}
    server.gives("GET /batches", _listed(("batch_3", name), also=[refused]))
    assert server.backend.find(name) == "batch_3"
    server.gives("GET /batches", _listed(("batch_3", name), ("batch_2", name)))
    with pytest.raises(UsageError, match=r"means several batches: batch_3, batch_2$"):
        server.backend.find(name)
    server.gives("GET /batches", _listed())
    with pytest.raises(UsageError, match="no batch"):
        server.backend.find(name)
