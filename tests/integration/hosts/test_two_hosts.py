"""Two hosts on one PostgreSQL and one object store: either may die at any time."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
import pytest

from e2e.conftest import Server, until
from integration.hosts.conftest import Cluster
from integration.registry.conftest import MANIFEST, push_blob, simple_image
from lading.facts import Ledger
from lading.facts.kinds.supply_chain import PullRefused
from lading.kernel.digest import Digest
from lading.state import Database

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
BLOB = os.urandom(12_000_000)
DIGEST = Digest.of(BLOB)


@pytest.fixture(scope="module")
def cluster(new_cluster: Callable[[], Cluster]) -> Cluster:
    made = new_cluster()
    made.host("push,pull,api")
    made.host("push,pull")
    made.login()
    return made


@pytest.fixture
def hosts(cluster: Cluster) -> Iterator[tuple[Server, Server]]:
    yield cluster.hosts[0], cluster.hosts[1]
    for host in cluster.hosts:
        if host._process is None:
            host.start()


def push_image(client: httpx.Client, repository: str, tag: str, text: str) -> Digest:
    body, *contents = simple_image(text)
    for content in contents:
        push_blob(client, repository, content)
    answer = client.put(f"/v2/{repository}/manifests/{tag}", content=body, headers={"Content-Type": MANIFEST})
    assert answer.status_code == 201, answer.text
    return Digest.of(body)


def processes(host: Server) -> dict[str, int]:
    """The process ids of a host's roles."""
    assert host._process is not None
    found = {}
    for child in psutil.Process(host._process.pid).children():
        words = child.cmdline()
        if "lading.entrypoints.server.role" in words:
            found[words[-1]] = child.pid
    return found


def send_half(address: str, path: str, token: str, content: bytes, at: int) -> socket.socket:
    """Begin a chunk that never ends."""
    from base64 import b64encode

    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)))
    login = b64encode(f"shop/ci:{token}".encode()).decode()
    connection.sendall(
        f"PATCH {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic {login}\r\n"
        f"Content-Range: {at}-{at + len(content) - 1}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        + content[: len(content) // 2]
    )
    return connection


def test_each_host_runs_its_roles_alone(hosts: tuple[Server, Server]) -> None:
    assert set(processes(hosts[0])) == {"push", "pull", "api", "intake"}
    assert set(processes(hosts[1])) == {"push", "pull", "intake"}
    assert not (hosts[1].home / "data" / "keys" / "signing.key").exists()


def test_an_upload_goes_on_at_the_other_host_after_a_kill(cluster: Cluster, hosts: tuple[Server, Server]) -> None:
    first, second = hosts
    half = 7_000_000
    with cluster.http(first.push) as a, cluster.http(second.push) as b:
        location = a.post("/v2/shop/web/blobs/uploads/").headers["location"]
        answer = a.patch(location, content=BLOB[:half], headers={"Content-Range": f"0-{half - 1}"})
        assert answer.status_code == 202, answer.text
        connection = send_half(first.push, location, cluster.robot, BLOB[half:], half)
        time.sleep(0.3)
        first.kill()
        with suppress(OSError):
            connection.close()
        progress = b.get(location)
        assert (progress.status_code, progress.headers["range"]) == (204, f"0-{half - 1}")
        answer = b.patch(location, content=BLOB[half:], headers={"Content-Range": f"{half}-{len(BLOB) - 1}"})
        assert answer.status_code == 202, answer.text
        wrong = b.head(f"/v2/shop/web/blobs/{DIGEST}")
        assert wrong.status_code == 404
        assert b.put(f"{location}?digest={DIGEST}").status_code == 201
        assert b.get(f"/v2/shop/web/blobs/{DIGEST}").content == BLOB
        part = b.get(f"/v2/shop/web/blobs/{DIGEST}", headers={"Range": "bytes=6999999-7000000"})
        assert (part.status_code, part.content) == (206, BLOB[6_999_999:7_000_001])


def test_an_upload_with_a_wrong_digest_is_never_seen_on_either_host(
    cluster: Cluster, hosts: tuple[Server, Server]
) -> None:
    other = Digest.of(b"other")
    with cluster.http(hosts[0].push) as a, cluster.http(hosts[1].push) as b:
        location = a.post("/v2/shop/web/blobs/uploads/").headers["location"]
        assert a.patch(location, content=b"o").status_code == 202
        assert b.patch(location, content=b"thers").status_code == 202
        assert b.put(f"{location}?digest={other}").status_code == 400
        assert a.head(f"/v2/shop/web/blobs/{other}").status_code == 404
        assert a.get(location).status_code == 404


def test_pulls_go_on_while_one_host_is_killed(cluster: Cluster, hosts: tuple[Server, Server]) -> None:
    first, second = hosts
    with cluster.http(first.push) as a:
        digest = push_image(a, "shop/pulled", "1", "pulled")
    body = simple_image("pulled")[0]
    first.client.post(f"/api/v1/images/shop/pulled@{digest}/approve", {"why": "good"})
    stop, served, failed = threading.Event(), [0], []

    def pull() -> None:
        while not stop.is_set():
            answers = 0
            for address in (first.pull, second.pull):
                with suppress(httpx.TransportError), cluster.http(address, 5) as client:
                    answer = client.get("/v2/shop/pulled/manifests/1")
                    if answer.status_code == 200 and answer.content == body:
                        answers += 1
                        continue
                    failed.append(answer.status_code)
            if not answers:
                failed.append(-1)
            served[0] += answers

    threads = [threading.Thread(target=pull) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        os.kill(processes(first)["pull"], 9)
        before = served[0]
        until(lambda before=before: served[0] > before + 20 or None)
        until(lambda: "pull" in processes(first) or None)
    first.kill()
    before = served[0]
    until(lambda: served[0] > before + 20 or None)
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_revocation_holds_on_both_hosts_and_refusals_of_each_become_facts(
    cluster: Cluster, hosts: tuple[Server, Server]
) -> None:
    first, second = hosts
    with cluster.http(second.push) as b:
        digest = push_image(b, "shop/revoked", "1", "revoked")
    name = f"/api/v1/images/shop/revoked@{digest}"
    first.client.post(f"{name}/approve", {"why": "good"})
    first.client.post(f"{name}/revoke", {"why": "a flaw"})
    for host in hosts:
        with cluster.http(host.pull) as client:
            refused = until(lambda client=client: _refused(client.get(f"/v2/shop/revoked/manifests/{digest}")), 5)
            assert "a flaw" in refused
    database = Database(cluster.url)
    noted = until(lambda: _refusals(database, str(digest), 2))
    time.sleep(1)  # neither host takes in again what the other one did
    assert len(_refusals(database, str(digest), 2) or []) == len(noted)
    database.close()


def _refused(answer: httpx.Response) -> str | None:
    return answer.text if answer.status_code == 403 else None


def _refusals(database: Database, digest: str, least: int) -> list[object] | None:
    with database.read() as tx:
        entries = Ledger().read(tx, kinds=[PullRefused.kind()])
    found = [entry for entry in entries if isinstance(entry.fact, PullRefused) and entry.fact.digest == digest]
    return found if len(found) >= least else None


def test_two_hosts_push_the_same_image_at_once(cluster: Cluster, hosts: tuple[Server, Server]) -> None:
    statuses: list[int] = []

    def push(host: Server, number: int) -> None:
        with cluster.http(host.push) as client:
            body, *contents = simple_image(f"same {number}")
            for content in contents:
                push_blob(client, "shop/same", content)
            headers = {"Content-Type": MANIFEST}
            statuses.append(client.put("/v2/shop/same/manifests/1", content=body, headers=headers).status_code)

    for number in range(8):
        threads = [threading.Thread(target=push, args=(host, number)) for host in hosts for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses == [201] * 32


def test_a_database_that_restarts_loses_no_acknowledged_push(cluster: Cluster, hosts: tuple[Server, Server]) -> None:
    """Pushes on both hosts while PostgreSQL is stopped, crashed and started again."""
    stop = threading.Event()
    kept: dict[str, bytes] = {}
    odd: list[str] = []
    unavailable = [0]

    def push(host: Server, worker: int) -> None:
        number = 0
        with cluster.http(host.push) as client:
            while not stop.is_set():
                number += 1
                text = f"{worker}-{number}"
                body, *contents = simple_image(text)
                steps = [("POST", f"blobs/uploads/?digest={Digest.of(one)}", one) for one in contents]
                for method, path, content in [*steps, ("PUT", f"manifests/t{text}", body)]:
                    answer = client.request(
                        method, f"/v2/shop/load/{path}", content=content, headers={"Content-Type": MANIFEST}
                    )
                    if answer.status_code == 503:
                        unavailable[0] += 1
                        if not answer.headers.get("retry-after"):
                            odd.append("503 without Retry-After")
                        time.sleep(0.1)
                        break
                    if answer.status_code != 201:
                        odd.append(f"{method} {path}: {answer.status_code} {answer.text}")
                        break
                else:
                    kept[f"t{text}"] = body

    threads = [threading.Thread(target=push, args=(host, 2 * n + m)) for n, host in enumerate(hosts) for m in (0, 1)]
    for thread in threads:
        thread.start()
    for mode in ("fast", "immediate", "fast"):
        before = len(kept)
        until(lambda before=before: len(kept) > before + 10 or None)
        cluster.postgres.stop(mode)
        time.sleep(1.5)
        cluster.postgres.start()
    before = len(kept)
    until(lambda: len(kept) > before + 10 or None)
    stop.set()
    for thread in threads:
        thread.join()
    assert odd == []
    assert unavailable[0] > 0
    with cluster.http(hosts[0].push) as a, cluster.http(hosts[1].push) as b:
        for number, (tag, body) in enumerate(kept.items()):
            answer = (a, b)[number % 2].get(f"/v2/shop/load/manifests/{tag}")
            assert (answer.status_code, answer.content) == (200, body)
    database = Database(cluster.url)
    with database.read() as tx:
        assert Ledger().verify(tx).entries > len(kept)
    database.close()


def test_nothing_is_left_of_uploads_that_ended(cluster: Cluster, hosts: tuple[Server, Server]) -> None:
    with cluster.http(hosts[0].push) as client:
        push_blob(client, "shop/web", b"ended")
    query = "SELECT count(*) FROM registry_upload_pieces WHERE made > %s"
    where = urlsplit(cluster.url)
    with psycopg.connect(host=where.query.partition("=")[2], user="lading", dbname=cluster.database) as connection:
        row = connection.execute(query, ["2099"]).fetchone()
    assert row == (0,)
