"""A server of chat completions that answers each prompt by a script: replies in order, the last one again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.support.dispatch_harness import DispatchHarness


class RawReply(NamedTuple):
    """A response as a whole."""

    status: int
    body: Mapping[str, Any]


#: a reply is a text, a choice's fields (`message`, `finish_reason`), or a response as a whole
Reply = str | Mapping[str, Any] | RawReply
USAGE = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}


class ScriptedServer:
    """The server; `calls` has the model and the prompt of each call in order.

    Args:
        scripts: The replies to each prompt.
    """

    def __init__(self, scripts: Mapping[str, Sequence[Reply]]) -> None:
        self.scripts = {prompt: list(replies) for prompt, replies in scripts.items()}
        self.calls: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                reply = scripted.reply(body)
                content = json.dumps(reply.body).encode()
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def reply(self, body: Mapping[str, Any]) -> RawReply:
        """Return the next response to a request."""
        messages = body.get("messages")
        prompt = messages[-1]["content"] if messages else body.get("input", body.get("prompt"))
        with self._lock:
            self.calls.append((body["model"], prompt))
            replies = self.scripts[prompt]
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, RawReply):
            return reply
        fields = {"message": {"content": reply}} if isinstance(reply, str) else reply
        message = {"role": "assistant", "content": None, **fields.get("message", {})}
        choice = {"index": 0, "finish_reason": "stop", **fields, "message": message}
        completion = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"],
                      "choices": [choice], "usage": USAGE}  # fmt: skip
        return RawReply(200, completion)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


#: makes a dispatcher and the server of its models, which give these replies to the prompt `p`
MakeScripted = Callable[..., tuple[DispatchHarness, ScriptedServer]]
