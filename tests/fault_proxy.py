"""Proxies that make what is behind them fail.

`FaultProxy`, before an object store, fails at random: errors, answers that are lost, slowness, cut connections. Requests
reach the store unchanged, so signatures hold; what was decided for a request comes from a seeded generator.
`RegistryProxy`, before a registry, fails as it is told, and counts what it is asked.
"""

from __future__ import annotations

import base64
import http.client
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
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
        status, headers, content = self._forward(request, body)
        if kind == "error after":
            _answer(request, 500, [], b"")
            return
        _answer(request, status, headers, content, cut=len(content) // 2 if kind == "cut answer" else None)

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
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
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP]
        if request.command == "HEAD":
            headers.append(("Content-Length", answer.getheader("Content-Length") or "0"))
        return answer.status, headers, content

    def _fault(self) -> str:
        with self._lock:
            kind = self._random.choice(self.kinds) if self._random.random() < self.share else "none"
            self.seen[kind] += 1
        return kind


class RegistryProxy(FaultProxy):
    """Before a registry; `fault` is asked for each request and names what is done with it.

    none      passed on
    throttle  429, with `retry_after`
    slow      passed on after `seconds`
    lie       passed on, with another byte at the end of the answer's content
    cut       passed on, and torn after `cut_at` bytes
    down      torn before anything is answered
    redirect  sent elsewhere (307) for content: `/elsewhere` of this proxy, where nobody may bring credentials
    """

    def __init__(self, upstream: str) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.fault: Callable[[str, str], str] = lambda _method, _path: "none"
        self.headers: list[tuple[str, str]] = []
        self.retry_after = ""
        self.seconds = 1.0
        self.cut_at = 1_000
        self.credentials = ""
        self.leaked: list[str] = []
        super().__init__(upstream)

    def count(self, method: str, part: str) -> int:
        """How often something with `part` in its path was asked for."""
        return sum(asked[0] == method and part in asked[1] for asked in list(self.asked))

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        self.asked.append((request.command, request.path, request.headers.get("range") or ""))
        if request.path.startswith("/elsewhere/"):
            if request.headers.get("authorization"):
                self.leaked.append(request.path)
            request.path = request.path.removeprefix("/elsewhere")
            _answer(request, *self._forward(request, body))
            return
        if self.credentials and not self._let_in(request):
            return
        kind = self.fault(request.command, request.path)
        if kind == "throttle":
            said = [("Retry-After", self.retry_after)] if self.retry_after else []
            _answer(request, 429, [*said, *self.headers], b'{"errors": [{"code": "TOOMANYREQUESTS"}]}')
        elif kind == "down":
            _cut(request)
        elif kind == "redirect" and "/blobs/" in request.path:
            _answer(request, 307, [("Location", f"{self.address}/elsewhere{request.path}")], b"")
        else:
            if kind == "slow":
                time.sleep(self.seconds)
            status, headers, content = self._forward(request, body)
            if kind == "lie" and content:
                content = content[:-1] + bytes([content[-1] ^ 1])
            _answer(request, status, headers + self.headers, content, cut=self.cut_at if kind == "cut" else None)

    def _let_in(self, request: BaseHTTPRequestHandler) -> bool:
        """Whether a request may pass; answers it otherwise: with a token for the user, or with a challenge."""
        said = request.headers.get("authorization") or ""
        if request.path.startswith("/token"):
            wanted = "Basic " + base64.b64encode(self.credentials.encode()).decode()
            token = b'{"token": "t-secret"}'
            _answer(request, *((200, [], token) if said == wanted else (401, [], b"{}")))
            return False
        if said == "Bearer t-secret":
            del request.headers["authorization"]
            return True
        challenge = f'Bearer realm="{self.address}/token",service="faults",scope="repository:x:pull"'
        _answer(request, 401, [("WWW-Authenticate", challenge)], b"{}")
        return False


_HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive", "date", "server")


def _answer(
    request: BaseHTTPRequestHandler,
    status: int,
    headers: list[tuple[str, str]],
    content: bytes,
    *,
    cut: int | None = None,
) -> None:
    """Answer; with `cut`, only so many bytes of the content before the connection is torn."""
    request.send_response(status)
    for name, value in headers:
        request.send_header(name, value)
    if request.command != "HEAD":
        request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    if cut is not None and request.command != "HEAD":
        request.wfile.write(content[:cut])
        _cut(request)
    elif request.command != "HEAD":
        request.wfile.write(content)


def _cut(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.wfile.flush()
    request.connection.shutdown(socket.SHUT_RDWR)
