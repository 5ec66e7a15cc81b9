"""Servers of files: plain HTTP with the failures that downloads meet, and what a client needs of S3."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


@dataclass
class FileServer:
    """The files of a server by their paths, and how it fails.

    Attributes:
        files: Contents by path; an S3 object's path is `/bucket/key`.
        ranges: Whether it answers requests for a part of a file.
        breaks: How many answers are cut off in the middle; their length is announced in full.
        url: Its address.
        queries: The queries of the requests so far.
        signatures: The headers `Authorization` of the requests so far.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    breaks: int = 0
    url: str = ""
    queries: list[str] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)


@contextmanager
def file_server(**files: bytes) -> Iterator[FileServer]:
    """Run a server of files on this machine; in their names, `__` stands for a slash and `_` for a dot."""
    state = FileServer(
        {"/" + name.replace("__", "/").replace("_", "."): data for name, data in files.items()}
    )
    server = _Server(state)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, state: FileServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_PUT(self) -> None:
        self.server.state.files[self._path()] = self.rfile.read(int(self.headers["Content-Length"]))
        self._send(200, b"", {"ETag": '"1"'})

    def _path(self) -> str:
        return unquote(urlsplit(self.path).path)

    def _answer(self, *, with_body: bool) -> None:
        state, query = self.server.state, urlsplit(self.path).query
        content = state.files.get(self._path())
        state.queries.append(query)
        state.signatures.append(self.headers.get("Authorization", ""))
        if "list-type=2" in query:
            self._send(200, _listing(state, self._path().strip("/"), parse_qs(query)), {})
        elif content is None:
            self._send(404, b"", {})
        else:
            self._send_file(content, with_body=with_body)

    def _send_file(self, content: bytes, *, with_body: bool) -> None:
        headers = {"ETag": '"1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if not self.server.state.ranges:
            self._send(200, content, headers, with_body=with_body)
            return
        headers["Accept-Ranges"] = "bytes"
        wanted = self.headers.get("Range")
        if wanted is None:
            self._send(200, content, headers, with_body=with_body)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        end = min(int(last) + 1 if last else len(content), len(content))
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(content)}"
        self._send(206, content[int(first) : end], headers, with_body=with_body)

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, with_body: bool = True) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body and self.server.state.breaks and len(body) > 1:
            self.server.state.breaks -= 1
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif with_body:
            self.wfile.write(body)


def _listing(state: FileServer, bucket: str, query: dict[str, list[str]]) -> bytes:
    """S3's ListObjectsV2."""
    prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
    start = f"/{bucket}/{prefix}"
    rests = [path.removeprefix(start) for path in sorted(state.files) if path.startswith(start)]
    inside = [rest for rest in rests if not delimiter or delimiter not in rest]
    folders = sorted({rest.partition(delimiter)[0] + delimiter for rest in rests if rest not in inside})
    parts = [
        f"<Contents><Key>{escape(prefix + rest)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;1&quot;</ETag><Size>{len(state.files[start + rest])}</Size></Contents>"
        for rest in inside
    ]
    parts += [
        f"<CommonPrefixes><Prefix>{escape(prefix + name)}</Prefix></CommonPrefixes>" for name in folders
    ]
    parts.append(f"<KeyCount>{len(inside)}</KeyCount><IsTruncated>false</IsTruncated>")
    return f"<ListBucketResult><Name>{bucket}</Name>{''.join(parts)}</ListBucketResult>".encode()
