"""Both registry endpoints over real HTTP, served as in production, in a process of their own."""

from __future__ import annotations

import json
import os
import socket
import threading
from base64 import b64encode
from typing import Any

import httpx
import pytest

from lading.facts import Ledger
from lading.facts.kinds.supply_chain import PullRefused
from lading.kernel.digest import Digest
from lading.state import Database
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.blobs_directory import DirectoryBlobs
from lading.supply_chain.registry.client import RemoteRegistry
from lading.supply_chain.registry.copying import copy_image
from lading.supply_chain.registry.layout import push_layout
from lading.supply_chain.registry.local import RegistrySink
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.states import ImageStates, State
from lading.supply_chain.registry.taking_in import take_in

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BLOB = os.urandom(3_000_000)
DIGEST = Digest.of(BLOB)


@pytest.fixture
def image(push: httpx.Client, push_image: Any) -> Digest:
    found: Digest = push_image(push, "shop/web", "1.0")
    return found


def begin(client: httpx.Client, repository: str = "shop/web") -> str:
    answer = client.post(f"/v2/{repository}/blobs/uploads/")
    assert answer.status_code == 202
    return str(answer.headers["location"])


def code(answer: httpx.Response) -> str:
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
    return str(answer.json()["errors"][0]["code"])


def states(registry: Any) -> tuple[Database, Ledger, ImageStates]:
    database, ledger = Database(f"sqlite:///{registry.directory / 'state.db'}"), Ledger()
    return database, ledger, ImageStates(database, ledger)


def approve(registry: Any, digest: Digest) -> None:
    database, _, moves = states(registry)
    with database.write() as tx:
        moves.move(tx, digest, State.APPROVED, who="person:ada", why="good")
    database.close()


def test_nobody_comes_in_without_a_token(registry: Any) -> None:
    for pull in (False, True):
        with registry.client(pull=pull) as client:
            for auth in (None, ("shop", "wrong"), ("nobody", "lad_shop"), ("shop", "")):
                answer = client.get("/v2/", auth=auth) if auth else httpx.get(f"{client.base_url}/v2/")
                assert (answer.status_code, code(answer)) == (401, "UNAUTHORIZED")
                assert answer.headers["www-authenticate"] == 'Basic realm="lading"'
            for header in ("Basic ///", "Basic " + b64encode(b"\xff\xfe:x").decode(), "Bearer", "Digest x"):
                assert httpx.get(f"{client.base_url}/v2/", headers={"Authorization": header}).status_code == 401
            assert client.get("/v2/").status_code == 200


def test_a_blob_goes_in_by_each_way_and_comes_out_in_parts(push: httpx.Client) -> None:
    location = begin(push)
    for at in (0, 1_000_000, 2_000_000):
        part = BLOB[at : at + 1_000_000]
        answer = push.patch(location, content=part, headers={"Content-Range": f"{at}-{at + len(part) - 1}"})
        assert (answer.status_code, answer.headers["range"]) == (202, f"0-{at + len(part) - 1}")
        location = answer.headers["location"]
    answer = push.put(f"{location}?digest={DIGEST}")
    assert (answer.status_code, answer.headers["docker-content-digest"]) == (201, str(DIGEST))
    path = f"/v2/shop/web/blobs/{DIGEST}"
    assert push.head(path).headers["content-length"] == str(len(BLOB))
    assert push.get(path).content == BLOB
    for asked, expected in (
        ("bytes=0-9", BLOB[:10]), ("bytes=2999990-", BLOB[-10:]), ("bytes=-10", BLOB[-10:]),
        ("bytes=5-9999999999", BLOB[5:]),
    ):  # fmt: skip
        answer = push.get(path, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, expected)
    assert push.get(path, headers={"Range": "bytes=3000000-"}).status_code == 416
    assert push.get(path, headers={"Range": f"bytes={'9' * 5000}-"}).status_code in (200, 416)
    answer = push.put(f"{begin(push)}?digest={Digest.of(b'whole')}", content=b"whole")
    assert answer.status_code == 201


def test_a_chunk_out_of_order_is_refused_and_the_upload_goes_on(push: httpx.Client) -> None:
    location = begin(push)
    push.patch(location, content=b"abc")
    answer = push.patch(location, content=b"ghi", headers={"Content-Range": "6-8"})
    assert (answer.status_code, answer.headers["range"]) == (416, "0-2")
    answer = push.get(location)
    assert (answer.status_code, answer.headers["range"]) == (204, "0-2")
    for wrong in ("x-y", "3-9", "9" * 5000 + "-1", "5-3"):
        assert push.patch(location, content=b"def", headers={"Content-Range": wrong}).status_code in (400, 416)
    push.patch(location, content=b"def", headers={"Content-Range": "3-5"})
    assert push.put(f"{location}?digest={Digest.of(b'abcdef')}").status_code == 201


def test_a_wrong_digest_is_refused_and_nothing_is_kept(push: httpx.Client) -> None:
    other = Digest.of(b"other")
    answer = push.put(f"{begin(push)}?digest={other}", content=b"content")
    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")
    assert push.head(f"/v2/shop/web/blobs/{other}").status_code == 404
    for bad in ("", "sha256:abc", "md5:" + "0" * 32, "sha256:../../../etc/passwd"):
        answer = push.put(f"{begin(push)}?digest={bad}", content=b"content")
        assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")


HOSTILE_PATHS = [
    "/v2/../../etc/passwd/manifests/latest",
    "/v2/%2e%2e/%2e%2e/etc/manifests/latest",
    "/v2/a//b/manifests/latest",
    "/v2/UPPER/manifests/latest",
    "/v2/a%00b/manifests/latest",
    "/v2/a/b/manifests/..%2f..%2fetc",
    "/v2/shop/web/manifests/%ff%fe",
    "/v2/shop/web/manifests/sha256:zz",
    "/v2/shop/web/blobs/..%2f..%2fstate.db",
    "/v2/shop/web/blobs/uploads/..%2f..%2fstate.db",
    "/v2/shop/web/blobs/uploads/" + "a" * 5000,
    "/v2/shop/web/tags/list?n=x",
    "/v2/shop/web/tags/list?n=" + "9" * 5000,
    "/v2/shop/web/tags/list?last=%00",
    "/v2/shop/web/referrers/nothing",
    "/v2/shop/web/nothing",
    "/etc/passwd",
    "/v2/" + "a/" * 2000,
]


def test_hostile_paths_are_refused_in_the_words_of_the_specification(
    registry: Any, push: httpx.Client, pull: httpx.Client, image: Digest
) -> None:
    assert image
    for client in (push, pull):
        for path in HOSTILE_PATHS:
            answer = client.get(path)
            assert 400 <= answer.status_code < 500, (path[:100], answer.status_code, answer.text)
            if answer.content and answer.status_code != 414:
                assert code(answer), path
    assert "Traceback" not in registry.log


def test_a_method_that_is_not_there_is_answered_in_kind(push: httpx.Client, pull: httpx.Client) -> None:
    assert code(push.post("/v2/shop/web/tags/list")) == "UNSUPPORTED"
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert pull.request(method, "/v2/shop/web/manifests/latest").status_code == 405
        assert pull.request(method, "/v2/shop/web/blobs/uploads/").status_code in (404, 405)


def test_manifests_that_are_too_large_or_too_deep_are_refused(push: httpx.Client) -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    for body, status, name in ((deep, 400, "MANIFEST_INVALID"), (b" " * (5 << 20), 413, "SIZE_INVALID")):
        answer = push.put("/v2/shop/web/manifests/latest", content=body, headers={"Content-Type": MANIFEST})
        assert (answer.status_code, code(answer)) == (status, name)


def test_another_team_may_not_push_below_a_claimed_name(registry: Any, push: httpx.Client, image: Digest) -> None:
    assert image
    with registry.client("mail") as other:
        for repository in ("shop/web", "shop/new"):
            answer = other.post(f"/v2/{repository}/blobs/uploads/")
            assert (answer.status_code, code(answer)) == (403, "DENIED")
            assert "belongs to team shop" in answer.json()["errors"][0]["message"]
        location = begin(push)
        stolen = location.replace("shop/web", "mail/web")
        assert code(other.patch(stolen, content=b"evil")) == "BLOB_UPLOAD_UNKNOWN"
        assert other.delete(stolen).status_code == 404
        assert push.patch(location, content=b"good").status_code == 202


def test_two_teams_that_reach_for_one_name_at_once_do_not_share_it(registry: Any) -> None:
    for number in range(5):
        answers: dict[str, int] = {}
        start = threading.Barrier(2)

        def reach(
            team: str, number: int = number, start: threading.Barrier = start, to: dict[str, int] = answers
        ) -> None:
            with registry.client(team) as client:
                client.get("/v2/")
                start.wait()
                to[team] = client.post(f"/v2/fresh{number}/web/blobs/uploads/").status_code

        threads = [threading.Thread(target=reach, args=(team,)) for team in ("shop", "mail")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers.values()) == [202, 403]


def test_two_pushes_of_one_blob_at_once_both_succeed(registry: Any) -> None:
    answers: list[int] = []

    def push_once() -> None:
        with registry.client() as client:
            location = begin(client)
            for at in range(0, len(BLOB), 500_000):
                client.patch(location, content=BLOB[at : at + 500_000])
            answers.append(client.put(f"{location}?digest={DIGEST}").status_code)

    threads = [threading.Thread(target=push_once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [201] * 4
    with registry.client() as client:
        assert client.get(f"/v2/shop/web/blobs/{DIGEST}").content == BLOB


def raw(registry: Any, head: str, body: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", registry.push_port))
    secret = b64encode(b"shop:lad_shop").decode()
    connection.sendall(f"{head}\r\nHost: x\r\nAuthorization: Basic {secret}\r\n".encode() + body)
    return connection


def test_a_client_that_vanishes_in_the_middle_may_go_on(registry: Any, push: httpx.Client) -> None:
    location = begin(push)
    connection = raw(
        registry, f"PATCH {location} HTTP/1.1", f"Content-Length: {len(BLOB)}\r\n\r\n".encode() + BLOB[:1_500_000]
    )
    while push.get(location).headers["range"] == "0-0":
        pass
    connection.close()
    while True:
        end = int(push.get(location).headers["range"].partition("-")[2]) + 1
        answer = push.patch(location, content=BLOB[end:], headers={"Content-Range": f"{end}-{len(BLOB) - 1}"})
        if answer.status_code == 202:
            break
        assert answer.status_code in (409, 416)
    assert push.put(f"{location}?digest={DIGEST}").status_code == 201
    assert push.get(f"/v2/shop/web/blobs/{DIGEST}").content == BLOB
    assert "Traceback" not in registry.log


def test_a_lying_content_length_makes_no_blob(registry: Any, push: httpx.Client) -> None:
    digest = Digest.of(b"abc")
    for length in ("2", "10"):
        connection = raw(
            registry,
            f"POST /v2/shop/web/blobs/uploads/?digest={digest} HTTP/1.1",
            f"Content-Length: {length}\r\n\r\nabc".encode(),
        )
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(4096)
        connection.close()
        assert b" 201 " not in answer
        assert push.head(f"/v2/shop/web/blobs/{digest}").status_code == 404
    assert "Traceback" not in registry.log


def test_clients_that_read_nothing_do_not_keep_others_waiting(registry: Any, push: httpx.Client) -> None:
    assert push.put(f"{begin(push)}?digest={DIGEST}", content=BLOB).status_code == 201
    slow = [raw(registry, f"GET /v2/shop/web/blobs/{DIGEST} HTTP/1.1", b"\r\n") for _ in range(60)]
    slow += [raw(registry, f"PATCH {begin(push)} HTTP/1.1", b"Content-Length: 1000\r\n\r\nx") for _ in range(60)]
    assert push.get(f"/v2/shop/web/blobs/{DIGEST}").content == BLOB
    for connection in slow:
        connection.close()


def test_an_upload_survives_a_killed_server(registry: Any, push: httpx.Client) -> None:
    location = begin(push)
    assert push.patch(location, content=BLOB[:1_200_000]).status_code == 202
    under_way = raw(
        registry,
        f"PATCH {location} HTTP/1.1",
        f"Content-Length: {len(BLOB)}\r\n\r\n".encode() + BLOB[1_200_000:2_500_000],
    )
    while push.get(location).headers["range"] == "0-1199999":
        pass
    registry.stop()
    under_way.close()
    registry.start()
    with registry.client() as client:
        end = int(client.get(location).headers["range"].partition("-")[2]) + 1
        assert 1_200_000 < end <= 2_500_000
        assert client.head(f"/v2/shop/web/blobs/{DIGEST}").status_code == 404
        assert client.patch(location, content=BLOB[end:]).status_code == 202
        assert client.put(f"{location}?digest={DIGEST}").status_code == 201
        assert client.get(f"/v2/shop/web/blobs/{DIGEST}").content == BLOB


def test_only_what_is_approved_comes_out_of_the_pull_endpoint(
    registry: Any, push: httpx.Client, pull: httpx.Client, image: Digest
) -> None:
    body = push.get(f"/v2/shop/web/manifests/{image}")
    layer = body.json()["layers"][0]["digest"]
    paths = ["/v2/shop/web/manifests/1.0", f"/v2/shop/web/manifests/{image}", f"/v2/shop/web/blobs/{layer}"]
    for path in paths:
        answer = pull.get(path)
        assert (answer.status_code, code(answer)) == (403, "DENIED")
        assert "quarantined" in answer.json()["errors"][0]["message"]
        assert pull.head(path).status_code == 403
    approve(registry, image)
    for path in paths:
        assert pull.get(path).status_code == pull.head(path).status_code == 200
    assert pull.get(paths[0]).content == body.content
    assert pull.get(paths[0]).headers["docker-content-digest"] == str(image)
    assert pull.get(paths[2], headers={"Range": "bytes=0-3"}).status_code == 206
    assert pull.get("/v2/shop/web/tags/list").json()["tags"] == ["1.0"]
    database, ledger, _ = states(registry)
    # Each refusal was asked for several times: the first is a fact at once, the others are counted.
    assert take_in(registry.directory / "spool", database, ledger) == 2
    assert take_in(registry.directory / "spool", database, ledger) == 0
    with database.read() as tx:
        refusals = [entry.fact for entry in ledger.read(tx) if isinstance(entry.fact, PullRefused)]
    assert {fact.principal for fact in refusals} == {"robot:shop"}
    assert [fact.digest for fact in refusals] == [str(image), layer]
    database.close()


def test_lists_come_in_pages(push: httpx.Client, push_image: Any) -> None:
    for tag in ("a", "b", "c"):
        push_image(push, "shop/web", tag)
    answer = push.get("/v2/shop/web/tags/list?n=2")
    assert answer.json() == {"name": "shop/web", "tags": ["a", "b"]}
    following = answer.headers["link"].partition(">")[0].lstrip("<")
    answer = push.get(following)
    assert answer.json()["tags"] == ["c"]
    assert "link" not in answer.headers
    assert push.get("/v2/shop/web/tags/list?n=0").json()["tags"] == []
    assert push.get("/v2/_catalog").json() == {"repositories": ["shop/web"]}


def test_an_image_is_copied_from_registry_to_registry(registry: Any, image: Digest) -> None:
    url = f"http://127.0.0.1:{registry.push_port}"
    source = RemoteRegistry(url, "shop", "lad_shop")
    target = RemoteRegistry(url, "mail", "lad_mail")
    copied = copy_image(source, "shop/web", "1.0", target, to="mail/web", tag="copy")
    assert (copied.digest, copied.blobs, copied.moved) == (image, 2, 2)
    again = copy_image(source, "shop/web", "1.0", target, to="mail/web", tag="copy")
    assert (again.digest, again.moved) == (image, 0)
    assert target.manifest("mail/web", "copy").body == source.manifest("shop/web", "1.0").body
    source.close()
    target.close()


def test_a_layout_is_pushed_over_http_and_within_the_process(registry: Any, tmp_path: Any, make_layout: Any) -> None:
    digest = make_layout(tmp_path / "layout")
    remote = RemoteRegistry(f"http://127.0.0.1:{registry.push_port}", "shop", "lad_shop")
    assert push_layout(tmp_path / "layout", remote, "shop/base", "1").digest == digest
    remote.close()
    database, ledger, moves = states(registry)
    local = Registry(database, ledger, DirectoryBlobs(registry.directory), moves)
    sink = RegistrySink(local, Visitor("system:base", "library"))
    assert push_layout(tmp_path / "layout", sink, "library/base", "1").digest == digest
    assert local.resolve("library/base", "1").digest == digest
    assert json.loads(local.manifest(digest))["schemaVersion"] == 2
    database.close()


def test_what_is_revoked_is_refused_on_every_way_to_it_and_what_replaces_it_is_said(
    registry: Any, push: httpx.Client, pull: httpx.Client, push_image: Any
) -> None:
    old = push_image(push, "shop/web", "1.0", "old")
    entry = {"mediaType": MANIFEST, "digest": str(old), "platform": {"os": "linux", "architecture": "amd64"}}
    entry["size"] = len(push.get(f"/v2/shop/web/manifests/{old}").content)
    index_type = "application/vnd.oci.image.index.v1+json"
    body = json.dumps({"schemaVersion": 2, "mediaType": index_type, "manifests": [entry]}).encode()
    answer = push.put("/v2/shop/web/manifests/many", content=body, headers={"Content-Type": index_type})
    index = Digest.parse(answer.headers["docker-content-digest"])
    for digest in (old, index):
        approve(registry, digest)
    layer = push.get(f"/v2/shop/web/manifests/{old}").json()["layers"][0]["digest"]
    paths = [
        "/v2/shop/web/manifests/1.0",
        f"/v2/shop/web/manifests/{old}",
        "/v2/shop/web/manifests/many",
        f"/v2/shop/web/manifests/{index}",
        f"/v2/shop/web/blobs/{layer}",
        f"/v2/shop/web/referrers/{old}",
        f"/v2/shop/web/referrers/{index}",
    ]
    for path in paths:
        assert pull.get(path).status_code == 200
    database, _, moves = states(registry)
    with database.write() as tx:
        moves.move(tx, old, State.REVOKED, who="person:ada", why="malware")
    # Answers are believed for a second at most.
    settled = threading.Event()
    settled.wait(1.0)
    for path in paths:
        for answer in (pull.get(path), pull.head(path)):
            assert answer.status_code == 403, path
        assert "malware" in pull.get(path).json()["errors"][0]["message"]
    new = push_image(push, "shop/web", "1.0", "new")
    approve(registry, new)
    settled.wait(1.0)
    refusal = pull.get(f"/v2/shop/web/manifests/{old}").json()["errors"][0]
    assert f"Use shop/web:1.0@{new} instead." in refusal["message"]
    assert push.get(f"/v2/shop/web/blobs/{layer}").status_code == 200
    database.close()
