"""The HTTP server of the simulator: OpenAI's endpoints, and controls for tests under `/_sim/`.

`POST /v1/chat/completions`, `GET /v1/models`: see https://platform.openai.com/docs/api-reference.
`POST` to the other endpoints: see the package `workers.simulator.endpoints`.
`GET /_sim/stats`: counts and bills, per model and in total.
`GET /_sim/billed`: billed calls per prompt, keyed by `requests.messages_digest`.
`GET /_sim/replies`: ids and hashes of the answers to each prompt.
`POST /_sim/behaviour`: `{"model": NAME or "*", OPTION: VALUE, …}`; the options are `behaviour.CHANGEABLE`.
`POST /_sim/reset`: forget counts, attempts and changes of behaviour.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial

from aiohttp import web

from workers.simulator.behaviour import Behaviour
from workers.simulator.config import ModelProfile, SimulatorConfig
from workers.simulator.delivery import deliver
from workers.simulator.endpoints import ENDPOINTS, SimulatedEndpoint
from workers.simulator.errors import RefusedError, SimulatorConfigError
from workers.simulator.faults import Fault
from workers.simulator.http_errors import (
    HTTP_ERRORS,
    UNBILLED,
    HttpError,
    invalid_request,
    rate_limited,
    unknown_model,
)
from workers.simulator.ledger import Ledger
from workers.simulator.plans import Plan, plan_call
from workers.simulator.replies import completion_body, error_body, retry_after
from workers.simulator.requests import ChatRequest, parse_request

_MAX_REQUEST_BYTES = 64 * 1024 * 1024
_ASSUMED_COMPLETION_TOKENS = 256  # Counted against tpm where a request names no max_tokens.
_UNKNOWN_MODEL = "(unknown)"

#: returns content type and body of a 200
_Reply = Callable[[Plan], tuple[str, bytes]]


class Simulator:
    """One provider: its models, its ledger and its request handlers."""

    def __init__(self, config: SimulatorConfig) -> None:
        self._config = config
        self._start()

    def app(self) -> web.Application:
        """Return the web application with this provider's routes."""
        app = web.Application(client_max_size=_MAX_REQUEST_BYTES)
        app.router.add_post("/v1/chat/completions", self.chat)
        for endpoint in ENDPOINTS:
            app.router.add_post(endpoint.path, partial(self.answer, endpoint))
        app.router.add_get("/v1/models", self.models)
        app.router.add_get("/_sim/stats", self.stats)
        app.router.add_get("/_sim/billed", self.billed)
        app.router.add_get("/_sim/replies", self.replies)
        app.router.add_post("/_sim/behaviour", self.behave)
        app.router.add_post("/_sim/reset", self.reset)
        return app

    async def chat(self, http: web.Request) -> web.StreamResponse:
        """Answer a chat completion request, or fail it as planned."""
        try:
            request = parse_request(await http.read())
        except RefusedError as refused:
            return _error(refused.error)
        return await self._answer(http, request, lambda plan: completion_body(plan, request))

    async def answer(self, endpoint: SimulatedEndpoint, http: web.Request) -> web.StreamResponse:
        """Answer a request of another endpoint, or fail it as planned."""
        try:
            request, raw = endpoint.request(await http.read())
        except RefusedError as refused:
            return _error(refused.error)
        return await self._answer(http, request, lambda plan: endpoint.reply(plan, request, raw))

    async def _answer(self, http: web.Request, request: ChatRequest, reply: _Reply) -> web.StreamResponse:
        name = request.model if request.model in self._behaviour else _UNKNOWN_MODEL
        with self._ledger.call(name) as call:
            response = await self._respond(http, request, reply)
            call.status = str(response.status)
        return response

    async def _respond(self, http: web.Request, request: ChatRequest, reply: _Reply) -> web.StreamResponse:
        try:
            plan = self._plan(self._admit(http, request), request)
            await asyncio.sleep(plan.latency_ms / 1000 * self._config.latency_scale)
            return await deliver(plan, http, lambda: reply(plan))
        except RefusedError as refused:
            echo = (
                f" Received: {request.prompt!r} with key {_key(http)!r}." if self._config.echo_errors else ""
            )
            return _error(refused.error, detail=echo)

    def _admit(self, http: web.Request, request: ChatRequest) -> ModelProfile:
        model = self._behaviour.get(request.model)
        if model is None:
            raise RefusedError(unknown_model(request.model))
        if model.api_key is not None and _key(http) != model.api_key:
            raise RefusedError(HTTP_ERRORS[Fault.UNAUTHORIZED])
        tokens = request.prompt_tokens + (request.max_tokens or _ASSUMED_COMPLETION_TOKENS)
        wait_s = self._behaviour.limit(model.name).admit(tokens, time.monotonic())
        if wait_s:
            raise RefusedError(rate_limited(wait_s))
        return model

    def _plan(self, model: ModelProfile, request: ChatRequest) -> Plan:
        attempt = self._ledger.next_attempt(model.name, request.digest)
        plan = plan_call(model, request, attempt, seed=self._config.seed)
        # Billed when the work starts: a caller that hangs up pays, too.
        if plan.fault not in UNBILLED:
            cost = model.micro_usd(request.prompt_tokens, plan.completion_tokens)
            self._ledger.bill(model.name, request.digest, cost)
            text = "" if plan.fault is Fault.EMPTY_CONTENT else plan.text
            self._ledger.record_reply(request.digest, plan.id, text)
        return plan

    async def models(self, _http: web.Request) -> web.Response:
        """Return the models, as OpenAI lists them."""
        shown = [
            {"id": name, "object": "model", "created": 0, "owned_by": "waybill"} for name in self._behaviour
        ]
        return web.json_response({"object": "list", "data": shown})

    async def stats(self, _http: web.Request) -> web.Response:
        """Return the counts and bills so far."""
        return web.json_response(self._ledger.stats())

    async def billed(self, _http: web.Request) -> web.Response:
        """Return the billed calls for each prompt."""
        return web.json_response(self._ledger.billed())

    async def replies(self, _http: web.Request) -> web.Response:
        """Return the answers to each prompt."""
        return web.json_response(self._ledger.replies())

    async def behave(self, http: web.Request) -> web.Response:
        """Change how a model behaves from now on."""
        try:
            self._behaviour.change(await http.json())
        except (SimulatorConfigError, ValueError, TypeError) as error:
            return _error(invalid_request(str(error)))
        return web.json_response({})

    async def reset(self, _http: web.Request) -> web.Response:
        """Forget all calls and all changes of behaviour."""
        self._start()
        return web.json_response({})

    def _start(self) -> None:
        self._ledger = Ledger()
        self._behaviour = Behaviour(self._config.models)


def _key(http: web.Request) -> str:
    return http.headers.get("Authorization", "").removeprefix("Bearer ")


def _error(error: HttpError, *, detail: str = "") -> web.Response:
    body = error_body(error, detail=detail)
    return web.Response(
        status=error.status, body=body, content_type="application/json", headers=retry_after(error)
    )
