"""Clients that are slow, that vanish, that idle, that all want the same at once: others are served, and nothing partial
is ever seen."""

from __future__ import annotations

import os
import random
import resource
import socket
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.conftest import Server, until
from integration.distribution.conftest import Robot
from integration.registry.conftest import MANIFEST, RegistryProcess, push_blob, simple_image
from lading.kernel.digest import Digest

pytestmark = pytest.mark.slow
BLOB = random.Random(7).randbytes(2_500_000)
DIGEST = Digest.of(BLOB)
UPLOADS = "/v2/conformance/bad/blobs/uploads/"


def connect(address: str, robot: Robot, head: str, body: bytes = b"", ends: bool = True) -> socket.socket:
    """Send the beginning of a request, with or without the end of its headers."""
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    login = b64encode(f"{robot.name}:{robot.secret}".encode()).decode()
    text = f"{head}\r\nHost: {address}\r\nAuthorization: Basic {login}\r\n" + ("\r\n" if ends else "")
    connection.sendall(text.encode() + body)
    return connection


def begin(client: httpx.Client) -> str:
    answer = client.post(UPLOADS)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    """Connections that are closed at the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4_096), hard))
    with ExitStack() as opened:
        yield opened
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_others_are_served_while_hundreds_idle_dawdle_and_read_nothing(
    wire: Server, robot: Robot, sockets: ExitStack
) -> None:
    with robot.client(wire.push) as client:
        push_blob(client, "conformance/bad", BLOB)
        image = simple_image("dawdled")
        for content in image[1:]:
            push_blob(client, "conformance/bad", content)
        for _ in range(500):  # one answer, and then silence
            connection = connect(wire.push, robot, "GET /v2/ HTTP/1.1")
            assert b" 200 " in connection.recv(4_096)
            sockets.enter_context(connection)
        slow = [connect(wire.push, robot, "GET /v2/ HTTP/1.1\r\nX-Slow: a", ends=False) for _ in range(100)]
        for _ in range(50):
            slow.append(connect(wire.push, robot, f"PATCH {begin(client)} HTTP/1.1\r\nContent-Length: 100000", b"x"))
            path = "/v2/conformance/bad/manifests/slow"
            slow.append(connect(wire.push, robot, f"PUT {path} HTTP/1.1\r\nContent-Length: 100000", b"{"))
            slow.append(connect(wire.push, robot, f"GET /v2/conformance/bad/blobs/{DIGEST} HTTP/1.1"))
        for connection in slow:
            sockets.enter_context(connection)

        def drip() -> None:
            while not done.wait(0.2):
                for one in slow:
                    with suppress(OSError):
                        one.send(b"a")

        done = threading.Event()
        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            for number in range(10):
                assert client.get(f"/v2/conformance/bad/blobs/{DIGEST}").content == BLOB
                headers = {"Content-Type": MANIFEST}
                put = client.put(f"/v2/conformance/bad/manifests/t{number}", content=image[0], headers=headers)
                assert put.status_code == 201
        finally:
            done.set()
            dripping.join()


def test_clients_that_vanish_in_any_phase_leave_nothing_partial_and_uploads_go_on(wire: Server, robot: Robot) -> None:
    body, config, layer = simple_image("vanished")
    half, digest = len(BLOB) // 2, Digest.of(b"vanished" + BLOB)
    content = b"vanished" + BLOB
    whole = f"Content-Length: {len(content)}"
    with robot.client(wire.push) as client:
        for part in (config, layer):
            push_blob(client, "conformance/bad", part)
        patched, closed = begin(client), begin(client)
        requests: list[tuple[str, bytes, bool]] = [
            (f"POST {UPLOADS} HTTP/1.1", b"", False),
            (f"POST {UPLOADS} HTTP/1.1", b"", True),
            (f"POST {UPLOADS}?digest={digest} HTTP/1.1\r\n{whole}", b"", True),
            (f"POST {UPLOADS}?digest={digest} HTTP/1.1\r\n{whole}", content[:half], True),
            (f"PATCH {patched} HTTP/1.1\r\n{whole}", content[:half], True),
            (f"PUT {closed}?digest={digest} HTTP/1.1\r\n{whole}", content[:half], True),
            (f"PUT /v2/conformance/bad/manifests/gone HTTP/1.1\r\nContent-Type: {MANIFEST}\r\nContent-Length: {len(body)}", body[:50], True),
            (f"GET /v2/conformance/bad/blobs/{DIGEST} HTTP/1.1", b"", True),
        ]  # fmt: skip
        for head, sent, ends in requests:
            connect(wire.push, robot, head, sent, ends).close()

        for path in (f"blobs/{digest}", "manifests/gone", f"manifests/{Digest.of(body)}"):
            assert client.get(f"/v2/conformance/bad/{path}").status_code == 404, path
        for location in (patched, closed):
            reached = until(lambda location=location: settled(client, location, content))
            headers = {"Content-Range": f"{reached}-{len(content) - 1}"}
            assert client.patch(location, content=content[reached:], headers=headers).status_code == 202
            assert client.put(f"{location}?digest={digest}").status_code == 201
            assert client.get(f"/v2/conformance/bad/blobs/{digest}").content == content
        # Whoever sent all of it and did not wait for the answer may find it done.
        whole = f"Content-Type: {MANIFEST}\r\nContent-Length: {len(body)}"
        connect(wire.push, robot, f"PUT /v2/conformance/bad/manifests/sent HTTP/1.1\r\n{whole}", body).close()
        answer = client.get("/v2/conformance/bad/manifests/sent")
        assert answer.status_code == 404 or answer.content == body


def settled(client: httpx.Client, location: str, content: bytes) -> int | None:
    """Where an upload stands once whoever wrote to it is gone: a chunk at that place is taken."""
    end = int(client.get(location).headers["range"].partition("-")[2])
    reached = end + 1 if end else 0
    headers = {"Content-Range": f"{reached}-{reached}"}
    answer = client.patch(location, content=content[reached : reached + 1], headers=headers)
    return reached + 1 if answer.status_code == 202 else None


def test_many_clients_that_push_the_same_at_once_all_succeed(wire: Server, robot: Robot) -> None:
    body, config, layer = simple_image("the same for all")
    content = b"the same" + BLOB
    digest = Digest.of(content)

    def push(number: int) -> list[int]:
        with robot.client(wire.push) as client:
            headers = {"Content-Type": MANIFEST}
            if number % 2:
                answers = [client.post(f"/v2/conformance/same/blobs/uploads/?digest={digest}", content=content)]
            else:
                location = client.post("/v2/conformance/same/blobs/uploads/").headers["location"]
                for at in range(0, len(content), 1_000_000):
                    client.patch(location, content=content[at : at + 1_000_000])
                answers = [client.put(f"{location}?digest={digest}")]
            for part in (config, layer):
                answers.append(
                    client.post(f"/v2/conformance/same/blobs/uploads/?digest={Digest.of(part)}", content=part)
                )
            answers.append(client.put("/v2/conformance/same/manifests/1", content=body, headers=headers))
            return [answer.status_code for answer in answers]

    with ThreadPoolExecutor(32) as pool:
        statuses = [status for answers in pool.map(push, range(32)) for status in answers]

    assert statuses == [201] * 128
    with robot.client(wire.push) as client:
        assert client.get(f"/v2/conformance/same/blobs/{digest}").content == content
        assert client.get("/v2/conformance/same/manifests/1").content == body
    moves = [entry for entry in wire.client.get("/api/v1/ledger", kind="tag.moved", limit=1_000)
             if entry["fact"]["repository"] == "conformance/same"]  # fmt: skip
    assert len(moves) == 1


def asked_anew(registry: RegistryProcess, method: str, path: str, **more: Any) -> httpx.Response:
    """An answer on a connection of its own: one that was refused before its body had arrived may be closed."""
    with registry.client() as client:
        return client.request(method, path, **more)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_refuses_pushes_serves_what_is_there_and_recovers(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=True)
    registry: Any = None
    try:
        registry = RegistryProcess(disk)
        with registry.client() as client:
            kept = push_blob(client, "shop/web", BLOB)
            location = client.post("/v2/shop/web/blobs/uploads/").headers["location"]
            assert client.patch(location, content=BLOB[:100]).status_code == 202
            with (disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
                while ballast.write(b"x" * 65_536):
                    pass
            content = b"full" + BLOB
            refused = [
                asked_anew(registry, method, path, content=body, headers={"Content-Type": MANIFEST})
                for method, path, body in (
                    ("POST", f"/v2/shop/web/blobs/uploads/?digest={Digest.of(content)}", content),
                    ("PATCH", location, BLOB[100:]),
                    ("PUT", "/v2/shop/web/manifests/1", b"{}" + b" " * 100_000),
                )
            ]
            assert [answer.status_code for answer in refused[:2]] == [503, 503]
            assert all(answer.headers["retry-after"] for answer in refused[:2])
            assert refused[2].status_code in (400, 503)
            assert client.get(f"/v2/shop/web/blobs/{kept}").content == BLOB
            assert client.head(f"/v2/shop/web/blobs/{Digest.of(content)}").status_code in (404, 503)
            (disk / "ballast").unlink()

            assert client.get(location).headers["range"] == "0-99"
            assert client.patch(location, content=BLOB[100:200]).status_code == 202
            assert client.put(f"{location}?digest={Digest.of(BLOB[:200])}").status_code == 201
            assert push_blob(client, "shop/web", content) == Digest.of(content)
            assert client.get(f"/v2/shop/web/blobs/{Digest.of(content)}").content == content
        assert "Traceback" not in registry.log
    finally:
        if registry is not None:
            registry.stop()
        subprocess.run(["umount", "--lazy", disk], check=True)
