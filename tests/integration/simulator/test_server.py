"""The simulator over HTTP, in a process of its own."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from urllib.error import HTTPError

import pytest

from tests.support.waiting import wait_until
from workers.simulator import Fault, SimulatorProcess, default_config, messages_digest, text_digest

HTTP_FAULTS = {
    "rate_limit_seconds": 429,
    "quota": 429,
    "server_error": 500,
    "bad_gateway": 502,
    "unavailable": 503,
    "overloaded": 529,
    "unauthorized": 401,
    "payment_required": 402,
    "forbidden": 403,
    "context_length": 400,
    "content_policy": 400,
}


@pytest.fixture(scope="module")
def running() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(replace(default_config(), latency_scale=0, echo_errors=True)) as process:
        yield process


@pytest.fixture
def sim(running: SimulatorProcess) -> SimulatorProcess:
    running.client.reset()
    return running


def post(
    sim: SimulatorProcess, prompt: str, *, key: str = "sim-key", timeout: float = 60.0, **body: object
) -> HTTPResponse:
    host = sim.base_url.removeprefix("http://").removesuffix("/v1")
    payload = {"model": "sim-nano", "messages": [{"role": "user", "content": prompt}], **body}
    connection = HTTPConnection(host, timeout=timeout)
    headers = {"Authorization": f"Bearer {key}"}
    connection.request("POST", "/v1/chat/completions", json.dumps(payload), headers)
    return connection.getresponse()


def billed(sim: SimulatorProcess) -> int:
    total = sim.client.stats()["billed"]
    assert isinstance(total, int)
    return total


def test_a_call_is_answered_as_openai_would_and_billed_by_its_usage(sim: SimulatorProcess) -> None:
    answer = json.load(post(sim, "Summarise the harbour report"))
    usage = answer["usage"]
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "sim-nano"
    assert answer["choices"][0]["message"]["content"]
    assert answer["waybill_sim"]["category"] == "summarization"
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    micro_usd = default_config().models[0].micro_usd(usage["prompt_tokens"], usage["completion_tokens"])
    assert sim.client.stats()["billed_micro_usd"] == micro_usd


def test_every_call_is_billed_to_its_prompt(sim: SimulatorProcess) -> None:
    for prompt, model in (("a", "sim-nano"), ("a", "sim-large"), ("b", "sim-nano")):
        post(sim, prompt, model=model).read()
    calls = sim.client.billed()
    assert calls[messages_digest([{"role": "user", "content": "a"}])]["models"] == {
        "sim-nano": 1,
        "sim-large": 1,
    }
    assert calls[messages_digest([{"role": "user", "content": "b"}])]["calls"] == 1
    assert sum(prompt["micro_usd"] for prompt in calls.values()) == sim.client.stats()["billed_micro_usd"]


@pytest.mark.parametrize(("fault", "status"), HTTP_FAULTS.items())
def test_an_http_error_has_its_status_and_is_not_billed(
    sim: SimulatorProcess, fault: str, status: int
) -> None:
    response = post(sim, f"[[sim:{fault}]]")
    assert response.status == status
    assert json.load(response)["error"]["message"]
    assert billed(sim) == 0
    assert sim.client.stats()["models"]["sim-nano"]["by_status"] == {str(status): 1}


def test_retry_after_comes_in_every_awkward_form(sim: SimulatorProcess) -> None:
    after = {
        form: post(sim, f"[[sim:rate_limit_{form}]]").getheader("Retry-After")
        for form in ("huge", "negative", "date")
    }
    assert int(after["huge"] or 0) > 10**6
    assert after["negative"] == "-5"
    assert abs(parsedate_to_datetime(after["date"] or "").timestamp() - time.time()) < 200


@pytest.mark.parametrize("fault", ["html", "truncated"])
def test_a_garbage_200_is_no_json_and_is_billed(sim: SimulatorProcess, fault: str) -> None:
    response = post(sim, f"[[sim:{fault}]]")
    assert response.status == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(response.read())
    assert billed(sim) == 1


def test_a_200_can_lack_choices_content_or_usage_and_is_billed(sim: SimulatorProcess) -> None:
    assert json.load(post(sim, "[[sim:no_choices]]"))["choices"] == []
    assert json.load(post(sim, "[[sim:empty_content]]"))["choices"][0]["message"]["content"] is None
    assert "usage" not in json.load(post(sim, "[[sim:no_usage]]"))
    assert json.load(post(sim, "[[sim:absurd_usage]]"))["usage"]["completion_tokens"] > 10**9
    assert billed(sim) == 4


def test_a_body_can_break_off_and_is_billed(sim: SimulatorProcess) -> None:
    with pytest.raises((ConnectionResetError, IncompleteRead)):
        post(sim, "[[sim:reset]]").read()
    assert billed(sim) == 1


def test_a_body_can_be_huge(sim: SimulatorProcess) -> None:
    assert len(post(sim, "[[sim:huge_body]]").read()) > 50 * 10**6


@pytest.mark.parametrize(("fault", "calls"), [("hang", 0), ("hang_billed", 1)])
def test_a_caller_gives_up_on_a_hang_which_is_billed_only_if_the_work_was_done(
    sim: SimulatorProcess, fault: str, calls: int
) -> None:
    with pytest.raises(TimeoutError):
        post(sim, f"[[sim:{fault}]]", timeout=0.3)
    wait_until(lambda: sim.client.stats()["received"] == 1, timeout_s=60)
    assert billed(sim) == calls


def test_a_slow_drip_sends_its_headers_and_then_keeps_the_caller_waiting(sim: SimulatorProcess) -> None:
    response = post(sim, "[[sim:drip]]", timeout=60)
    assert response.status == 200
    assert response.read(1) == b"{"
    response.close()
    assert billed(sim) == 1


def test_calls_that_were_given_up_leave_nothing_in_flight(sim: SimulatorProcess) -> None:
    with pytest.raises(TimeoutError):
        post(sim, "[[sim:hang]]", timeout=0.2)

    def ended() -> bool:
        counts = sim.client.stats()["models"].get("sim-nano", {})
        return counts.get("in_flight") == 0

    wait_until(ended, timeout_s=60)
    assert sim.client.stats()["models"]["sim-nano"]["by_status"] == {"none": 1}


def held_posts(sim: SimulatorProcess, prompts: list[str], **body: object) -> list[Future[HTTPResponse]]:
    """Make a call of each prompt in a thread of its own, the next one once the last one waits at `door`."""
    pool, calls = ThreadPoolExecutor(len(prompts)), []
    for number, prompt in enumerate(prompts, start=1):
        calls.append(pool.submit(post, sim, prompt, timeout=60, **body))
        wait_until(lambda number=number: sim.client.held("door") == number, timeout_s=60)
    pool.shutdown(wait=False)
    return calls


def test_answers_that_are_held_wait_until_they_are_let_go_the_first_to_come_first(
    sim: SimulatorProcess,
) -> None:
    calls = held_posts(sim, ["[[sim:hold=door]] 1", "[[sim:hold=door]] 2", "[[sim:hold=door]] 3"])
    assert billed(sim) == 3
    sim.client.release("door", 1)
    assert calls[0].result(60).status == 200
    assert (sim.client.held("door"), calls[1].done()) == (2, False)
    assert post(sim, "[[sim:hold=window times=0]] not even the first").status == 200
    sim.client.release("door")
    assert [call.result(60).status for call in calls[1:]] == [200, 200]
    assert post(sim, "[[sim:hold=door]] 4").status == 200, "it is open from then on"


def test_calls_may_be_let_go_before_they_come(sim: SimulatorProcess) -> None:
    sim.client.release("door", 1)
    assert post(sim, "[[sim:hold=door]] first").status == 200
    [second] = held_posts(sim, ["[[sim:hold=door]] second"])
    sim.client.release("door", 1)
    assert second.result(60).status == 200


def test_all_answers_of_a_model_are_held_until_a_reset(sim: SimulatorProcess) -> None:
    sim.client.behave("sim-nano", hold="door")
    assert post(sim, "of another model", model="sim-large").status == 200
    [call] = held_posts(sim, ["of the model"])
    sim.client.reset()
    assert call.result(60).status == 200
    assert post(sim, "afterwards").status == 200


def test_a_caller_that_hangs_up_is_held_no_longer(sim: SimulatorProcess) -> None:
    with pytest.raises(TimeoutError):
        post(sim, "[[sim:hold=door]]", timeout=0.2)
    wait_until(lambda: sim.client.held("door") == 0, timeout_s=60)


def test_a_release_without_a_name_is_refused(sim: SimulatorProcess) -> None:
    with pytest.raises(HTTPError) as refused:
        sim.client._call("release", {"calls": "many"})
    refused.value.close()
    assert refused.value.code == 400


def test_behaviour_changes_while_it_runs_and_a_reset_undoes_it(sim: SimulatorProcess) -> None:
    sim.client.behave("sim-nano", failures={Fault.UNAUTHORIZED: 1.0})
    assert post(sim, "hello").status == 401
    assert post(sim, "hello", model="sim-large").status == 200
    sim.client.reset()
    assert post(sim, "hello").status == 200
    assert sim.client.stats()["received"] == 1


def test_a_wrong_change_of_behaviour_is_refused(sim: SimulatorProcess) -> None:
    for model, changes in (("sim-tiny", {}), ("sim-nano", {"colour": 3}), ("*", {"failures": {"hiccup": 1}})):
        with pytest.raises(HTTPError, match="400"):
            sim.client.behave(model, **changes)


def test_a_model_lets_only_its_key_in(sim: SimulatorProcess) -> None:
    sim.client.behave("*", api_key="right")
    assert post(sim, "hello", key="wrong").status == 401
    assert post(sim, "hello", key="right").status == 200


def test_a_rate_limit_answers_429_with_the_wait_and_bills_nothing_for_it(sim: SimulatorProcess) -> None:
    sim.client.behave("sim-nano", rpm=2)
    responses = [post(sim, f"hello {n}") for n in range(3)]
    assert [response.status for response in responses] == [200, 200, 429]
    assert 25 <= int(responses[2].getheader("Retry-After") or 0) <= 30
    assert billed(sim) == 2


def test_a_careless_providers_errors_repeat_prompt_and_key(sim: SimulatorProcess) -> None:
    body = post(sim, "[[sim:status=500]] canary-prompt", key="canary-key").read().decode()
    assert "canary-prompt" in body
    assert "canary-key" in body


def test_a_model_that_does_not_exist_is_404(sim: SimulatorProcess) -> None:
    response = post(sim, "hello", model="sim-gigantic")
    assert (response.status, json.load(response)["error"]["code"]) == (404, "model_not_found")


def test_a_retry_goes_on_counting_where_the_first_attempt_left_off(sim: SimulatorProcess) -> None:
    assert [post(sim, "[[sim:status=500 times=2]] hello").status for _ in range(3)] == [500, 500, 200]


def test_the_models_are_listed(sim: SimulatorProcess) -> None:
    connection = HTTPConnection(sim.base_url.removeprefix("http://").removesuffix("/v1"))
    connection.request("GET", "/v1/models")
    listed = json.load(connection.getresponse())["data"]
    assert [model["id"] for model in listed] == ["sim-nano", "sim-coder", "sim-writer", "sim-large"]


def test_it_listens_on_loopback_only(sim: SimulatorProcess) -> None:
    port = int(sim.base_url.split(":")[2].removesuffix("/v1"))
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.2", port))


def test_every_answer_is_remembered_by_the_id_and_the_hash_that_the_caller_got(sim: SimulatorProcess) -> None:
    answers = [json.load(post(sim, "[[sim:status=500 times=1]] hello")) for _ in range(3)][1:]
    digest = messages_digest([{"role": "user", "content": "[[sim:status=500 times=1]] hello"}])
    given = {a["id"]: text_digest(a["choices"][0]["message"]["content"]) for a in answers}
    assert sim.client.replies() == {digest: given}
