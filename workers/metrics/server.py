"""`waybill metrics`: a small HTTP server with `/metrics`, and the guard that the API server shares."""

from __future__ import annotations

import hmac
import logging
import os
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from tasks.errors import SettingsError
from tasks.processes import set_at_signals
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.schema import ensure_schema
from workers.errors import MissingPartError
from workers.logs.process_log import log_to_stderr, process_name
from workers.worker.alive_file import EVERY_S, alive_file

if TYPE_CHECKING:
    from workers.metrics.collector import Exposition

logger = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def token_of(settings: Settings) -> str | None:
    """Return the token that opens `/metrics`; None: there is none, and `/metrics` is off."""
    return os.environ.get(settings.metrics.token_env) or None


def is_allowed(header: str | None, token: str) -> bool:
    """Return whether an Authorization header holds the token."""
    scheme, _, given = (header or "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def run_metrics(
    settings: Settings, *, address: str | None, port: int | None, notify: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingsError: There is no token, or the port is taken.
        MissingPartError: The extra `metrics` is not installed.
    """
    try:
        from workers.metrics.collector import Exposition
    except ModuleNotFoundError as error:
        raise MissingPartError(f"`metrics` needs {error.name}: pip install 'waybill[metrics]'") from None
    token = token_of(settings)
    if token is None:
        raise SettingsError(f"no token: set ${settings.metrics.token_env} to what Prometheus shall send")
    log_to_stderr(process_name("metrics"))
    store = Store(settings.store_url)
    ensure_schema(store)
    host = settings.metrics.address if address is None else address
    number = settings.metrics.port if port is None else port
    handler = handler_of(Exposition(settings, store), token)
    try:
        server = _Server((host, number), handler)
    except OSError:
        raise SettingsError(f"{host}:{number} cannot be used: see [metrics]") from None
    notify(f"metrics: http://{host}:{server.server_port}/metrics")
    _serve(server)
    store.close()


class _Server(ThreadingHTTPServer):
    """The server; a client that goes away is a line of the log, not a traceback on stderr."""

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exc_info()[1]
        # Anything else is a defect, of which the place must be known.
        is_defect = not isinstance(error, ConnectionError | TimeoutError)
        logger.warning("a scrape broke off: %s", type(error).__name__, exc_info=is_defect)


def _serve(server: ThreadingHTTPServer) -> None:
    stop, alive = threading.Event(), alive_file()
    set_at_signals(stop)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    while True:
        if alive:
            alive.beat()
        if stop.wait(EVERY_S):
            break
    server.shutdown()
    server.server_close()


def handler_of(exposition: Exposition, token: str) -> type[BaseHTTPRequestHandler]:
    """Return the handler of the server's requests."""

    class Handler(BaseHTTPRequestHandler):
        #: seconds that a client may be silent
        timeout = 10

        def do_GET(self) -> None:
            if self.path != "/metrics":
                self._answer(404, b"")
            elif not is_allowed(self.headers.get("Authorization"), token):
                self._answer(401, b"")
            else:
                self._answer(200, exposition.text())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            if status == 401:
                self.send_header("WWW-Authenticate", "Bearer")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: a path may hold anything."""

    return Handler
