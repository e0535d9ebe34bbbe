"""A registry for builds: the few calls of the distribution API that a push and a pull make, kept in memory."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

BLOB = re.compile(r"/v2/(?P<name>.+)/blobs/(?P<digest>sha256:[0-9a-f]{64})")
MANIFEST = re.compile(r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)")
UPLOAD = re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<id>\d*)")


@dataclass
class Held:
    """What the registry holds."""

    address: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)

    def tags(self, name: str) -> set[str]:
        return {tag for held, tag in self.manifests if held == name and ":" not in tag}

    def json(self, name: str, reference: str) -> Any:
        return json.loads(self.manifests[name, reference][1])


def handler(held: Held) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - one small method for each call
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            return None

        def answer(self, code: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(code)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content

        def do_GET(self) -> None:
            if self.path == "/v2/":
                return self.answer(200)
            if (match := BLOB.fullmatch(self.path)) and match["digest"] in held.blobs:
                return self.answer(200, held.blobs[match["digest"]], Docker_Content_Digest=match["digest"])
            match = MANIFEST.fullmatch(self.path)
            found = held.manifests.get((match["name"], match["reference"])) if match else None
            if found is None:
                return self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
            digest = "sha256:" + hashlib.sha256(found[1]).hexdigest()
            return self.answer(200, found[1], Content_Type=found[0], Docker_Content_Digest=digest)

        do_HEAD = do_GET

        def do_POST(self) -> None:
            self.body()
            identity = str(len(held.uploads))
            held.uploads[identity] = b""
            self.answer(202, Location=f"{self.path.partition('?')[0].rstrip('/')}/{identity}")

        def do_PATCH(self) -> None:
            match = UPLOAD.fullmatch(self.path.partition("?")[0])
            assert match
            held.uploads[match["id"]] += self.body()
            self.answer(202, Location=self.path, Range=f"0-{len(held.uploads[match['id']]) - 1}")

        def do_PUT(self) -> None:
            path, _, query = self.path.partition("?")
            content = self.body()
            if match := UPLOAD.fullmatch(path):
                content = held.uploads.pop(match["id"]) + content
                digest = "sha256:" + hashlib.sha256(content).hexdigest()
                assert digest.replace(":", "%3A") in query
                held.blobs[digest] = content
                return self.answer(201, Docker_Content_Digest=digest)
            match = MANIFEST.fullmatch(path)
            assert match
            digest = "sha256:" + hashlib.sha256(content).hexdigest()
            for reference in (match["reference"], digest):
                held.manifests[match["name"], reference] = (self.headers["Content-Type"], content)
            return self.answer(201, Docker_Content_Digest=digest)

    return Handler


@pytest.fixture
def registry() -> Iterator[Held]:
    """A registry on a free port of this machine, which engines use without TLS."""
    held = Held()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(held))
    server.daemon_threads = True
    held.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield held
    server.shutdown()
    server.server_close()
    thread.join()
