"""What OCI distribution 1.1.1 demands or allows beyond the cases of the conformance suite, blobs and manifests."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lading.kernel.digest import Digest
from lading.supply_chain.registry.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    EMPTY_CONFIG,
    MOST_BYTES,
    OCI_INDEX,
    OCI_MANIFEST,
)
from unit.entrypoints.registry.conftest import CONFIG, LAYER, Wire, code, descriptor

WEB = "/v2/shop/web"
UPLOADS = f"{WEB}/blobs/uploads/"
BLOB = b"0123456789" * 10_000
DIGEST = Digest.of(BLOB)


def begin(wire: Wire) -> str:
    answer = wire.push.post(UPLOADS, headers={"Content-Length": "0"})
    assert answer.status_code == 202
    return str(answer.headers["location"])


# Pulling blobs and manifests


def test_head_says_what_get_says_and_sends_nothing(wire: Wire) -> None:
    wire.blob(BLOB)
    image = wire.image(reference="1.0")
    wire.approve(image)
    for client, path in (
        (wire.push, f"{WEB}/blobs/{DIGEST}"),
        (wire.push, f"{WEB}/manifests/1.0"),
        (wire.pull, f"{WEB}/manifests/{image}"),
    ):
        got, head = client.get(path), client.head(path)

        assert (got.status_code, head.status_code) == (200, 200)
        assert {**head.headers} == {**got.headers}
        assert head.content == b""
        assert int(head.headers["content-length"]) == len(got.content)


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        ("bytes=0-0", 206, BLOB[:1]),
        ("bytes=99990-", 206, BLOB[-10:]),
        ("bytes=-7", 206, BLOB[-7:]),
        ("bytes=-200000", 206, BLOB),
        ("bytes=10-500000", 206, BLOB[10:]),
        ("bytes=100000-", 416, b""),
        ("bytes=-0", 416, b""),
        # What may be ignored is answered whole: several ranges, other units, nonsense.
        ("bytes=0-1,5-6", 200, BLOB),
        ("lines=0-1", 200, BLOB),
        ("bytes=", 200, BLOB),
        ("bytes=-", 200, BLOB),
        ("bytes=a-b", 200, BLOB),
        ("bytes=" + "9" * 4_000 + "-", 200, BLOB),
    ],
)  # fmt: skip
def test_ranges(wire: Wire, asked: str, status: int, content: bytes) -> None:
    wire.blob(BLOB)

    answer = wire.push.get(f"{WEB}/blobs/{DIGEST}", headers={"Range": asked})

    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers["accept-ranges"] == "bytes"
    if status == 416:
        assert answer.headers["content-range"] == "bytes */100000"
    if status == 206:
        assert answer.headers["content-range"].endswith("/100000")


def test_a_range_counts_only_for_the_content_that_if_range_names(wire: Wire) -> None:
    wire.blob(BLOB)
    for named, status in ((f'"{DIGEST}"', 206), (f'"{Digest.of(b"")}"', 200), ("Wed, 21 Oct 2015 07:28:00 GMT", 200)):
        answer = wire.push.get(f"{WEB}/blobs/{DIGEST}", headers={"Range": "bytes=0-9", "If-Range": named})
        assert answer.status_code == status


def test_what_a_client_has_already_is_not_sent(wire: Wire) -> None:
    wire.blob(BLOB)
    image = wire.image(reference="1.0")
    wire.approve(image)
    for client, path, digest in (
        (wire.push, f"{WEB}/blobs/{DIGEST}", DIGEST), (wire.push, f"{WEB}/manifests/1.0", image),
        (wire.pull, f"{WEB}/manifests/1.0", image), (wire.pull, f"{WEB}/manifests/{image}", image),
    ):  # fmt: skip
        for known in (f'"{digest}"', f'"x", W/"{digest}"', "*"):
            for answer in (
                client.get(path, headers={"If-None-Match": known}),
                client.head(path, headers={"If-None-Match": known}),
            ):
                assert (answer.status_code, answer.content) == (304, b"")
                assert answer.headers["etag"] == f'"{digest}"'
        assert client.get(path, headers={"If-None-Match": f'"{Digest.of(b"")}", {digest}'}).status_code == 200


def test_a_manifest_is_answered_as_it_was_pushed_whatever_is_accepted(wire: Wire) -> None:
    wire.image("one", reference="1.0")
    spaced = b" \n" + wire.push.get(f"{WEB}/manifests/1.0").content + b"\n"
    wire.put(spaced, "spaced")
    for accept in ("", "*/*", OCI_MANIFEST, DOCKER_LIST, "text/html;q=0.1, nonsense"):
        answer = wire.push.get(f"{WEB}/manifests/spaced", headers={"Accept": accept})
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, spaced, OCI_MANIFEST)


def test_what_is_not_there_is_404_in_the_words_for_it(wire: Wire) -> None:
    wire.image(reference="1.0")
    absent = Digest.of(b"absent")
    for path, name in (
        (f"{WEB}/manifests/none", "MANIFEST_UNKNOWN"), (f"{WEB}/manifests/{absent}", "MANIFEST_UNKNOWN"),
        (f"{WEB}/blobs/{absent}", "BLOB_UNKNOWN"), ("/v2/shop/none/tags/list", "NAME_UNKNOWN"),
        ("/v2/shop/none/manifests/1", "MANIFEST_UNKNOWN"), (f"{UPLOADS}0000-0000", "BLOB_UPLOAD_UNKNOWN"),
    ):  # fmt: skip
        answer = wire.push.get(path)
        assert (answer.status_code, code(answer)) == (404, name), path


# Pushing blobs


def test_an_upload_says_where_it_stands_and_takes_chunks_with_and_without_their_range(wire: Wire) -> None:
    location = begin(wire)
    answer = wire.push.patch(location, content=b"abc")
    assert (answer.status_code, answer.headers["range"], answer.headers["location"]) == (202, "0-2", location)
    answer = wire.push.patch(location, content=b"def", headers={"Content-Range": "3-5"})
    assert (answer.status_code, answer.headers["range"]) == (202, "0-5")
    for wrong in ("0-2", "7-9", "5-7"):
        answer = wire.push.patch(location, content=b"xyz", headers={"Content-Range": wrong})
        assert (answer.status_code, code(answer), answer.headers["range"]) == (416, "BLOB_UPLOAD_INVALID", "0-5")
    for wrong in ("6", "6-", "-6", "a-b", "6-9", "9-6", "6-8/9", "items 6-8"):
        answer = wire.push.patch(location, content=b"xyz", headers={"Content-Range": wrong})
        assert (answer.status_code, code(answer)) in ((400, "SIZE_INVALID"), (416, "BLOB_UPLOAD_INVALID")), wrong
    answer = wire.push.get(location)
    assert (answer.status_code, answer.headers["range"], answer.headers["location"]) == (204, "0-5", location)
    digest = Digest.of(b"abcdefghi")
    answer = wire.push.put(f"{location}?digest={digest}", content=b"ghi", headers={"Content-Range": "6-8"})
    assert (answer.status_code, answer.headers["location"]) == (201, f"{WEB}/blobs/{digest}")
    assert wire.push.get(answer.headers["location"]).content == b"abcdefghi"
    assert wire.push.get(location).status_code == 404


def test_what_arrives_late_is_not_added_to_what_another_client_sent_since(wire: Wire) -> None:
    location, late = begin(wire), b"l" * (2 << 20)
    begun, resumed = threading.Event(), threading.Event()

    async def dawdling() -> AsyncIterator[bytes]:
        yield late[:10]
        begun.set()
        while not resumed.is_set():
            await asyncio.sleep(0.01)
        yield late[10:]

    with ThreadPoolExecutor(1) as pool:
        headers = {"Content-Length": str(len(late))}
        slow = pool.submit(wire.push.patch, location, content=dawdling(), headers=headers)
        begun.wait(30)
        assert wire.push.patch(location, content=b"abc").status_code == 202
        resumed.set()

        assert slow.result().status_code == 416
    assert wire.push.get(location).headers["range"] == "0-2"


def test_the_least_size_of_a_chunk_is_said_where_an_upload_begins(wire: Wire) -> None:
    answer = wire.push.post(UPLOADS)

    assert int(answer.headers["oci-chunk-min-length"]) >= 1
    assert answer.headers["docker-upload-uuid"] in answer.headers["location"]


def test_a_cancelled_upload_is_gone(wire: Wire) -> None:
    location = begin(wire)
    wire.push.patch(location, content=b"abc")

    assert wire.push.delete(location).status_code == 204
    for answer in (wire.push.delete(location), wire.push.get(location), wire.push.patch(location, content=b"d")):
        assert (answer.status_code, code(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_the_closing_put_needs_the_digest_of_the_whole(wire: Wire) -> None:
    for wrong in ("", f"?digest={Digest.of(b'other')}", "?digest=sha256:abc", "?digest=md5:" + "0" * 32):
        location = begin(wire)
        wire.push.patch(location, content=b"abc")
        answer = wire.push.put(f"{location}{wrong}")
        assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")


def test_sha512_works_wherever_sha256_does(wire: Wire) -> None:
    blob, config = wire.blob(BLOB, algorithm="sha512"), b'{"architecture":"amd64","os":"linux"}'
    wire.blob(config, algorithm="sha512")
    location = begin(wire)
    wire.push.patch(location, content=b"chunked")
    chunked = Digest.of(b"chunked", "sha512")
    assert wire.push.put(f"{location}?digest={chunked}").status_code == 201
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(CONFIG, config, "sha512"),
                "layers": [descriptor(LAYER, BLOB, "sha512"), descriptor(LAYER, b"chunked", "sha512")]}  # fmt: skip
    body = json.dumps(document).encode()
    image = Digest.of(body, "sha512")
    answer = wire.put(body, str(image))
    assert (answer.status_code, answer.headers["docker-content-digest"]) == (201, str(image))
    assert answer.headers["location"] == f"{WEB}/manifests/{image}"
    note = wire.note(image)
    wire.approve(image)

    for client in (wire.push, wire.pull):
        for path, content in ((f"manifests/{image}", body), (f"blobs/{blob}", BLOB)):
            got = client.get(f"{WEB}/{path}")
            assert (got.status_code, got.content) == (200, content)
            assert client.head(f"{WEB}/{path}").headers["docker-content-digest"] == path.partition("/")[2]
        assert [one["digest"] for one in client.get(f"{WEB}/referrers/{image}").json()["manifests"]] == [str(note)]
    mounted = wire.push.post(f"/v2/shop/other/blobs/uploads/?mount={blob}&from=shop/web")
    assert (mounted.status_code, mounted.headers["docker-content-digest"]) == (201, str(blob))
    assert wire.push.delete(f"{WEB}/manifests/{image}").status_code == 202
    assert wire.push.delete(f"{WEB}/blobs/{blob}").status_code == 202


def test_a_blob_is_mounted_from_where_the_visitor_may_pull_it(wire: Wire) -> None:
    wire.blob(BLOB, "shop/open")
    secret = wire.blob(b"secret", "shop/hidden")
    wire.hide("shop/hidden")
    begun = "/v2/mail/web/blobs/uploads/"
    for query, status in (
        (f"mount={DIGEST}&from=shop/open", 201), (f"mount={DIGEST}", 201), (f"mount={secret}&from=shop/hidden", 202),
        (f"mount={secret}", 202), (f"mount={secret}&from=shop/open", 202), (f"mount={Digest.of(b'no')}", 202),
        (f"mount={DIGEST}&from=shop/none", 202),
    ):  # fmt: skip
        answer = wire.other.post(f"{begun}?{query}")
        assert answer.status_code == status, query
        kind = f"/v2/mail/web/blobs/{DIGEST}" if status == 201 else begun
        assert answer.headers["location"].startswith(kind)
        assert wire.other.delete(f"/v2/mail/web/blobs/{DIGEST}").status_code in (202, 404)
    assert code(wire.other.post(f"{begun}?mount=sha256:zz")) == "DIGEST_INVALID"
    assert code(wire.other.post(f"{begun}?mount={DIGEST}&from=UPPER/../x")) == "NAME_INVALID"


# Pushing manifests


def test_parameters_of_the_content_type_are_ignored_and_its_type_must_be_that_of_the_manifest(wire: Wire) -> None:
    wire.image(reference="1.0")
    body = wire.push.get(f"{WEB}/manifests/1.0").content

    assert wire.put(body, "1.0", f"{OCI_MANIFEST}; charset=utf-8").status_code == 201
    assert wire.push.get(f"{WEB}/manifests/1.0").headers["content-type"] == OCI_MANIFEST
    for other in (
        DOCKER_MANIFEST,
        OCI_INDEX,
        "application/json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ):
        answer = wire.put(body, "1.0", other)
        assert (answer.status_code, code(answer)) == (400, "MANIFEST_INVALID"), other


def test_docker_manifests_and_lists_are_taken_as_they_are(wire: Wire) -> None:
    config, layer = b'{"architecture":"amd64","os":"linux"}', b"layer"
    for content in (config, layer):
        wire.blob(content)
    document = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
                "config": descriptor("application/vnd.docker.container.image.v1+json", config),
                "layers": [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)]}  # fmt: skip
    body = json.dumps(document).encode()
    assert wire.put(body, "one", DOCKER_MANIFEST).status_code == 201
    entry = descriptor(DOCKER_MANIFEST, body, platform={"os": "linux", "architecture": "amd64"})
    many = json.dumps({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [entry]}).encode()
    assert wire.put(many, "many", DOCKER_LIST).status_code == 201

    for tag, content, kind in (("one", body, DOCKER_MANIFEST), ("many", many, DOCKER_LIST)):
        answer = wire.push.get(f"{WEB}/manifests/{tag}")
        assert (answer.content, answer.headers["content-type"]) == (content, kind)


def test_a_manifest_of_schema_1_is_refused_with_what_to_do(wire: Wire) -> None:
    body = json.dumps({"schemaVersion": 1, "name": "shop/web", "tag": "1", "fsLayers": [], "history": []}).encode()
    for kind in ("application/vnd.docker.distribution.manifest.v1+json", OCI_MANIFEST):
        answer = wire.put(body, "1", kind)
        assert (answer.status_code, code(answer)) == (400, "MANIFEST_INVALID")


def test_a_manifest_that_names_what_was_never_pushed_is_refused_but_for_its_subject(wire: Wire) -> None:
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(CONFIG, b"{}"), "layers": []}
    answer = wire.put(json.dumps(document).encode(), "1.0")
    assert (answer.status_code, code(answer)) == (404, "MANIFEST_BLOB_UNKNOWN")
    entry = descriptor(OCI_MANIFEST, b"never pushed")
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}).encode()
    answer = wire.put(body, "1.0", OCI_INDEX)
    assert (answer.status_code, code(answer)) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert wire.note(Digest.of(b"never pushed"))


def test_a_manifest_may_be_as_large_as_is_said_and_no_larger(wire: Wire) -> None:
    wire.blob(b"{}")
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(EMPTY_CONFIG, b"{}"), "layers": []}
    body = json.dumps(document).encode()

    assert wire.put(body + b" " * (MOST_BYTES - len(body)), "large").status_code == 201
    answer = wire.put(body + b" " * (MOST_BYTES + 1 - len(body)), "larger")
    assert (answer.status_code, code(answer)) == (413, "SIZE_INVALID")


def test_a_manifest_put_by_its_digest_may_bring_its_tags(wire: Wire) -> None:
    image = wire.image()
    body = wire.push.get(f"{WEB}/manifests/{image}").content
    answer = wire.put(body, f"{image}?tag=a&tag=b&tag=a")

    assert answer.status_code == 201
    assert answer.headers["oci-tag"].replace(" ", "") == "a,b,a"
    for tag in ("a", "b"):
        assert wire.push.head(f"{WEB}/manifests/{tag}").headers["docker-content-digest"] == str(image)
    assert code(wire.put(body, f"{image}?tag=-x")) == "MANIFEST_INVALID"
    assert wire.put(body, f"{image}?" + "&".join(f"tag=t{n}" for n in range(101))).status_code == 400


def test_a_tag_may_be_put_with_the_digest_that_the_manifest_is_to_have(wire: Wire) -> None:
    body = wire.push.get(f"{WEB}/manifests/{wire.image()}").content
    image = Digest.of(body, "sha512")

    assert wire.put(body, f"long?digest={image}").headers["docker-content-digest"] == str(image)
    assert wire.push.head(f"{WEB}/manifests/long").headers["docker-content-digest"] == str(image)
    assert code(wire.put(body, f"long?digest={Digest.of(b'other')}")) == "DIGEST_INVALID"


def test_a_tag_is_written_only_while_it_is_as_the_client_says(wire: Wire) -> None:
    first = wire.image("first", "1.0", headers={})
    body = wire.push.get(f"{WEB}/manifests/1.0").content
    second = wire.push.get(f"{WEB}/manifests/{wire.image('second')}").content
    for condition, status in (
        ({"If-None-Match": "*"}, 412), ({"If-Match": f'"{Digest.of(b"x")}"'}, 412), ({"If-Match": f'"{first}"'}, 201),
        ({"If-Match": f'"{first}"'}, 412), ({"If-None-Match": f'"{first}"'}, 201), ({"If-Match": "*"}, 201),
    ):  # fmt: skip
        answer = wire.put(second, "1.0", headers=condition)
        assert answer.status_code == status, condition
        if status == 412:
            assert code(answer) == "DENIED"
    assert wire.put(body, "new", headers={"If-Match": "*"}).status_code == 412
    assert wire.put(body, "new", headers={"If-None-Match": "*"}).status_code == 201
    assert wire.push.get(f"{WEB}/tags/list").json()["tags"] == ["1.0", "new"]


def test_indexes_are_nested_to_any_depth(wire: Wire) -> None:
    members = [wire.image(reference="1.0")]
    for _ in range(40):
        members.append(wire.index(members[-1], kinds=OCI_INDEX if len(members) > 1 else OCI_MANIFEST))
    for one in members:
        wire.approve(one)

    assert len(wire.registry.members(members[-1])) == 40
    assert wire.registry.images_in(members[-1]) == members[:1]
    assert wire.registry.layers(members[-1]) == wire.registry.layers(members[0])
    assert all(wire.pull.get(f"{WEB}/manifests/{one}").status_code == 200 for one in members)
