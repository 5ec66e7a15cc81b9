"""A client of the simulator's controls, for tests."""

import json
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

_TIMEOUT_S = 60.0


class SimulatorClient:
    """A client of `/_sim/` of a running simulator; it raises urllib's errors."""

    def __init__(self, base_url: str) -> None:
        """Take the simulator's `base_url`, which ends in /v1, as LiteLLM's `api_base` does."""
        self._root = base_url.removesuffix("/v1") + "/_sim"
        self._opener = build_opener(ProxyHandler({}))  # without a proxy: the server is local

    def stats(self) -> dict[str, Any]:
        """Return `{received, billed, billed_micro_usd, models: {name: ModelCounts.as_json()}}`."""
        return self._call("stats")

    def billed(self) -> dict[str, Any]:
        """Return the billed calls, `{messages_digest: {calls, models: {name: calls}, micro_usd}}`."""
        return self._call("billed")

    def replies(self) -> dict[str, dict[str, str]]:
        """Return every answer written, sent or not: `{messages_digest: {reply id: text_digest}}`."""
        return self._call("replies")

    def behave(self, model: str, **changes: Any) -> None:
        """Change how a model behaves from now on; `model` "*" means all.

        Args:
            changes: failures, judging, latency_ms, hold, rpm, tpm, limit_burst_s, api_key.
        """
        self._call("behaviour", {"model": model, **changes})

    def held(self, name: str) -> int:
        """Return how many answers wait at this name."""
        return int(self._call("held").get(name, 0))

    def release(self, name: str, calls: int | None = None) -> None:
        """Let so many answers pass this name, those that wait first; None lets all pass from now on."""
        self._call("release", {"name": name, "calls": calls})

    def reset(self) -> None:
        """Forget calls, attempts and changed behaviour; answers that are held go on."""
        self._call("reset", {})

    def _call(self, name: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._root}/{name}", data=data, headers={"Content-Type": "application/json"})
        with self._opener.open(request, timeout=_TIMEOUT_S) as response:
            answer: dict[str, Any] = json.load(response)
        return answer
