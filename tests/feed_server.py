"""A place where feeds are published, for tests: it serves, breaks off, lies and throttles as it is told."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar


@dataclass
class Place:
    """What is published, by path, and what goes wrong: `faults` are taken one by one, for any path."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    place: ClassVar[Place]

    def do_GET(self) -> None:
        place = self.place
        place.asked.append((self.path, self.headers.get("Range", "")))
        fault = place.faults.pop(0) if place.faults else ""
        if fault == "throttle":
            self._answer(429, b"", {"Retry-After": "7"})
            return
        if self.path == "/moved":
            self._answer(302, b"", {"Location": "/there"})
            return
        content = place.files.get(self.path)
        if content is None:
            self._answer(404, b"no such feed", {})
            return
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        if self.headers.get("If-None-Match") == etag:
            self._answer(304, b"", {"ETag": etag})
            return
        start = 0
        if (asked := self.headers.get("Range", "")) and self.headers.get("If-Range") == etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        body = content[start:]
        said = {"ETag": etag, "Accept-Ranges": "bytes"}
        if start:
            said["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        length = len(body) + (1000 if fault == "lie" else 0)
        sent = body[: len(body) // 2] if fault == "break" else body
        self._answer(206 if start else 200, sent, said, length)
        if fault in ("break", "lie"):
            self.close_connection = True

    def _answer(self, status: int, body: bytes, headers: dict[str, str], length: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(place: Place) -> Iterator[Place]:
    """Serve it on a port of its own."""
    handler = type("Handler", (_Handler,), {"place": place})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        place.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield place
        finally:
            server.shutdown()
            thread.join()
