"""The HTTP server of the simulator: the providers' endpoints, and controls for tests under `/_sim/`.

`POST /v1/chat/completions`, `POST /v1/responses`, `GET /v1/models`: a server compatible with OpenAI's.
`POST /anthropic/v1/messages`, `POST /gemini/v1beta/models/…`, …: the protocols of providers (protocols/).
`GET /_sim/stats`: counts and bills, per model and in total.
`GET /_sim/billed`: billed calls per prompt, keyed by `requests.messages_digest`.
`GET /_sim/replies`: ids and hashes of the answers to each prompt.
`POST /_sim/behaviour`: `{"model": NAME or "*", OPTION: VALUE, …}`; the options are `behaviour.CHANGEABLE`.
`GET /_sim/held`: how many answers wait at each name (holds.py).
`POST /_sim/release`: `{"name": NAME, "calls": NUMBER}` lets so many answers go, or all that ever come.
`POST /_sim/reset`: forget counts, attempts, caches and changes of behaviour; what is held goes on.
"""

import asyncio
import time
from collections import defaultdict
from functools import partial
from typing import Any

from aiohttp import web

from workers.simulator.behaviour import Behaviour
from workers.simulator.config import ModelProfile, SimulatorConfig
from workers.simulator.delivery import deliver
from workers.simulator.errors import RefusedError, SimulatorConfigError
from workers.simulator.faults import Fault
from workers.simulator.holds import Holds
from workers.simulator.http_errors import (
    HTTP_ERRORS,
    UNBILLED,
    HttpError,
    invalid_request,
    rate_limited,
    unknown_model,
)
from workers.simulator.ledger import Ledger
from workers.simulator.plan import Plan
from workers.simulator.plans import plan_call
from workers.simulator.prompt_cache import CacheUse, PromptCache
from workers.simulator.protocols.compatible import Compatible
from workers.simulator.protocols.protocol import Call, Protocol
from workers.simulator.protocols.registry import PROTOCOLS, prefix_of
from workers.simulator.requests import ChatRequest, json_object
from workers.simulator.shapes import UNBILLED_SHAPES
from workers.simulator.token_counts import TokenCounts

_MAX_REQUEST_BYTES = 64 * 1024 * 1024
_ASSUMED_COMPLETION_TOKENS = 256  # Counted against tpm where a request names no max_tokens.
_UNKNOWN_MODEL = "(unknown)"
_PLAIN = Compatible()


class Simulator:
    """One provider: its models, its ledger and its request handlers."""

    def __init__(self, config: SimulatorConfig) -> None:
        self._config = config
        self._start()

    def app(self) -> web.Application:
        """Return the web application with this provider's routes."""
        app = web.Application(client_max_size=_MAX_REQUEST_BYTES)
        for protocol in PROTOCOLS:
            for path in protocol.paths:
                app.router.add_post(prefix_of(protocol) + path, partial(self.answer, protocol))
        app.router.add_get("/v1/models", self.models)
        app.router.add_get("/_sim/stats", self.stats)
        app.router.add_get("/_sim/billed", self.billed)
        app.router.add_get("/_sim/replies", self.replies)
        app.router.add_get("/_sim/held", self.held)
        app.router.add_post("/_sim/release", self.release)
        app.router.add_post("/_sim/behaviour", self.behave)
        app.router.add_post("/_sim/reset", self.reset)
        return app

    async def answer(self, protocol: Protocol, http: web.Request) -> web.StreamResponse:
        """Answer a request by its protocol, or fail it as planned."""
        try:
            raw = json_object(await http.read())
            request = protocol.parse(raw, model=http.match_info.get("model"), headers=http.headers)
        except RefusedError as refused:
            with self._ledger.call(_UNKNOWN_MODEL) as call:
                reply = _error(protocol, refused.error)
                call.status = str(reply.status)
            return reply
        name = request.model if request.model in self._behaviour else _UNKNOWN_MODEL
        with self._ledger.call(name) as call:
            response = await self._respond(protocol, http, request)
            call.status = str(response.status)
        return response

    async def _respond(
        self, protocol: Protocol, http: web.Request, request: ChatRequest
    ) -> web.StreamResponse:
        try:
            call = self._plan(self._admit(protocol, http, request), request)
            await asyncio.sleep(call.plan.latency_ms / 1000 * self._config.latency_scale)
            if call.plan.hold:
                await self._holds.wait(call.plan.hold)
            return await deliver(call, protocol, http)
        except RefusedError as refused:
            key = protocol.key(http.headers, http.query)
            echo = f" Received: {request.prompt!r} with key {key!r}." if self._config.echo_errors else ""
            return _error(protocol, refused.error, detail=echo)

    def _admit(self, protocol: Protocol, http: web.Request, request: ChatRequest) -> ModelProfile:
        key = protocol.key(http.headers, http.query)
        if protocol.needs_key and not key:
            raise RefusedError(HTTP_ERRORS[Fault.UNAUTHORIZED])
        model = self._behaviour.get(request.model)
        if model is None:
            raise RefusedError(unknown_model(request.model))
        if model.api_key is not None and key != model.api_key:
            raise RefusedError(HTTP_ERRORS[Fault.UNAUTHORIZED])
        tokens = request.prompt_tokens + (request.max_tokens or _ASSUMED_COMPLETION_TOKENS)
        wait_s = self._behaviour.limit(model.name).admit(tokens, time.monotonic())
        if wait_s:
            raise RefusedError(rate_limited(wait_s))
        return model

    def _plan(self, model: ModelProfile, request: ChatRequest) -> Call:
        attempt = self._ledger.next_attempt(model.name, request.digest)
        plan = plan_call(model, request, attempt, seed=self._config.seed)
        if plan.fault in UNBILLED or plan.shape in UNBILLED_SHAPES:
            return Call(request, plan, TokenCounts(0, 0), 0)
        counts = self._count(model, request, plan)
        call = Call(request, plan, counts, model.bill(counts, tier=request.service_tier))
        # Billed when the work starts: a caller that hangs up pays, too.
        self._ledger.bill(model.name, request.digest, call.micro_usd)
        self._ledger.record_reply(request.digest, plan.id, call.text or "")
        return call

    def _count(self, model: ModelProfile, request: ChatRequest, plan: Plan) -> TokenCounts:
        """Return the tokens of an answered call by kind; a model with a price for them has a cache."""
        use = CacheUse()
        if model.cached_input_price is not None and request.prefixes:
            use = self._caches[model.name].use(request.prefixes, marked=request.marked)
        return TokenCounts(
            input=max(0, request.prompt_tokens - use.read - use.written - use.written_1h),
            output=plan.completion_tokens,
            cached=use.read,
            cache_write=use.written,
            cache_write_1h=use.written_1h,
            reasoning=plan.reasoning_tokens,
        )

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
            return _error(_PLAIN, invalid_request(str(error)))
        return web.json_response({})

    async def held(self, _http: web.Request) -> web.Response:
        """Return how many answers wait at each name."""
        return web.json_response(self._holds.waiting())

    async def release(self, http: web.Request) -> web.Response:
        """Let held answers go."""
        try:
            asked = json_object(await http.read())
            name, calls = asked["name"], asked.get("calls")
            self._holds.release(str(name), None if calls is None else int(calls))
        except (RefusedError, KeyError, ValueError, TypeError):
            return _error(_PLAIN, invalid_request("which name, and how many calls?"))
        return web.json_response({})

    async def reset(self, _http: web.Request) -> web.Response:
        """Forget all calls and all changes of behaviour."""
        self._holds.release_all()
        self._start()
        return web.json_response({})

    def _start(self) -> None:
        self._ledger = Ledger()
        self._caches: defaultdict[str, PromptCache] = defaultdict(PromptCache)
        self._behaviour = Behaviour(self._config.models)
        self._holds = Holds()


def _error(protocol: Protocol, error: HttpError, *, detail: str = "") -> web.Response:
    reply = protocol.error(error)
    if isinstance(reply.body, str):
        return web.Response(status=reply.status, text=reply.body + detail, content_type="text/html")
    return web.json_response(_echoing(reply.body, detail), status=reply.status, headers=reply.headers)


def _echoing(body: Any, detail: str) -> Any:
    """Return an error's body with something added to its message."""
    if not isinstance(body, dict):
        return body
    texts = {name: body[name] + detail for name in ("message", "error") if isinstance(body.get(name), str)}
    return {name: _echoing(value, detail) for name, value in body.items()} | texts
