"""A proxy before an object store that makes it fail at random: errors, answers that are lost, slowness, cut connections.

Requests reach the store unchanged, so signatures hold. What was decided for a request comes from a seeded generator.
"""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

KINDS = ("error before", "error after", "slow", "cut answer", "cut request")


class FaultProxy:
    """Listens on a port of its own; `share` of the requests fail in one of `kinds`."""

    def __init__(self, upstream: str, seed: int = 7) -> None:
        self.share = 0.0
        self.kinds: tuple[str, ...] = KINDS
        self.seen: Counter[str] = Counter()
        self._upstream = urlsplit(upstream).netloc
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments: object) -> None:
                pass

            def _serve(self) -> None:
                proxy.serve(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_arguments: object) -> None:
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        kind = self._fault()
        length = int(request.headers.get("content-length") or 0)
        if kind == "cut request":
            request.rfile.read(length // 2)
            _cut(request)
            return
        body = request.rfile.read(length)
        if kind == "error before":
            _answer(request, 500, [], b"")
            return
        if kind == "slow":
            time.sleep(1.5)
        connection = http.client.HTTPConnection(self._upstream, timeout=60)
        try:
            connection.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if kind == "error after":
            _answer(request, 500, [], b"")
            return
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP]
        if request.command == "HEAD":
            headers.append(("Content-Length", answer.getheader("Content-Length") or "0"))
        _answer(request, answer.status, headers, content, cut=kind == "cut answer")

    def _fault(self) -> str:
        with self._lock:
            kind = self._random.choice(self.kinds) if self._random.random() < self.share else "none"
            self.seen[kind] += 1
        return kind


_HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive", "date", "server")


def _answer(
    request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], content: bytes, *, cut: bool = False
) -> None:
    request.send_response(status)
    for name, value in headers:
        request.send_header(name, value)
    if request.command != "HEAD":
        request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    if cut:
        request.wfile.write(content[: len(content) // 2])
        _cut(request)
    elif request.command != "HEAD":
        request.wfile.write(content)


def _cut(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.wfile.flush()
    request.connection.shutdown(socket.SHUT_RDWR)
