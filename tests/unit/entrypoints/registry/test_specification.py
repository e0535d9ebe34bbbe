"""What OCI distribution 1.1.1 demands or allows beyond the cases of the conformance suite, section by section."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

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
from unit.entrypoints.registry.conftest import CONFIG, LAYER, NOTE, Wire, code, descriptor

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


# Lists


def test_tags_come_in_lexical_order_whatever_their_case_page_by_page(wire: Wire) -> None:
    image = wire.image()
    body = wire.push.get(f"{WEB}/manifests/{image}").content
    ordered = ["_x", "1.10", "1.9", "a", "B", "b", "c-1", "C_1", "Z"]
    for tag in reversed(ordered):
        assert wire.put(body, tag).status_code == 201
    ordered.sort(key=lambda tag: (tag.lower(), tag))

    assert wire.push.get(f"{WEB}/tags/list").json() == {"name": "shop/web", "tags": ordered}
    for size in (1, 2, 4, 8, 9, 10):
        pages, path = [], f"{WEB}/tags/list?n={size}"
        while path:
            answer = wire.push.get(path)
            pages.append(answer.json()["tags"])
            path = answer.headers.get("link", "").partition('>; rel="next"')[0].lstrip("<")
        assert [tag for page in pages for tag in page] == ordered
        # A page that is not the last is full, and none is empty.
        assert {len(page) for page in pages[:-1]} <= {size} and pages[-1]
    assert wire.push.get(f"{WEB}/tags/list?n=3&last=b").json()["tags"] == ["c-1", "C_1", "Z"]
    assert wire.push.get(f"{WEB}/tags/list?last=C_1").json()["tags"] == ["Z"]
    assert wire.push.get(f"{WEB}/tags/list?last=nothing-like-it").json()["tags"] == ["Z"]
    answer = wire.push.get(f"{WEB}/tags/list?n=0")
    assert (answer.status_code, answer.json()["tags"], answer.headers.get("link")) == (200, [], None)
    for wrong in ("-1", "x", "1.5", "9" * 40):
        assert wire.push.get(f"{WEB}/tags/list?n={wrong}").status_code == 400


def test_a_repository_without_tags_has_an_empty_list(wire: Wire) -> None:
    wire.image(reference="only")
    wire.push.delete(f"{WEB}/manifests/only")

    assert wire.push.get(f"{WEB}/tags/list").json() == {"name": "shop/web", "tags": []}


def test_referrers_say_their_type_and_annotations_and_which_filter_was_applied(wire: Wire) -> None:
    image = wire.image(reference="1.0")
    typed = wire.note(image, "typed", annotations={"org.example.a": "b"})
    by_config = wire.note(image, "by config", kind="")
    index = wire.index(image, subject={"mediaType": OCI_MANIFEST, "digest": str(image), "size": 1})

    answer = wire.push.get(f"{WEB}/referrers/{image}")
    found = {one["digest"]: one for one in answer.json()["manifests"]}
    assert (answer.status_code, answer.headers["content-type"]) == (200, OCI_INDEX)
    assert "oci-filters-applied" not in answer.headers
    assert set(found) == {str(typed), str(by_config), str(index)}
    assert found[str(typed)]["artifactType"] == NOTE
    assert found[str(typed)]["annotations"] == {"org.example.a": "b"}
    assert found[str(by_config)]["artifactType"] == EMPTY_CONFIG
    assert "artifactType" not in found[str(index)]
    answer = wire.push.get(f"{WEB}/referrers/{image}?artifactType={NOTE}")
    assert answer.headers["oci-filters-applied"] == "artifactType"
    assert [one["digest"] for one in answer.json()["manifests"]] == [str(typed)]
    answer = wire.push.get(f"{WEB}/referrers/{image}?artifactType=no/such")
    assert (answer.status_code, answer.json()["manifests"]) == (200, [])


def test_the_list_of_referrers_is_never_404(wire: Wire) -> None:
    wire.image(reference="1.0")
    wire.image(repository="shop/hidden")
    wire.hide("shop/hidden")
    absent = Digest.of(b"absent")
    for client in (wire.push, wire.other, wire.pull):
        for name in ("shop/web", "shop/none", "nobody/none", "shop/hidden"):
            answer = client.get(f"/v2/{name}/referrers/{absent}")
            assert (answer.status_code, answer.headers["content-type"]) == (200, OCI_INDEX)
            assert answer.json() == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        for wrong in ("sha256:abc", "latest", "md5:" + "0" * 32):
            answer = client.get(f"/v2/shop/web/referrers/{wrong}")
            assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")


def test_referrers_that_do_not_fit_into_one_answer_come_in_pages(wire: Wire) -> None:
    image = wire.image()
    large = {"a": "x" * (3 << 20)}
    pushed = {str(wire.note(image, str(number), annotations=large)) for number in range(3)}
    found: list[str] = []
    path = f"{WEB}/referrers/{image}?artifactType={NOTE}"
    while path:
        answer = wire.push.get(path)
        assert len(answer.content) < 5 << 20
        assert answer.headers["oci-filters-applied"] == "artifactType"
        found += [one["digest"] for one in answer.json()["manifests"]]
        path = answer.headers.get("link", "").partition('>; rel="next"')[0].lstrip("<")
    assert (len(found), set(found)) == (3, pushed)
    assert len(wire.registry.referrers("shop/web", image)["manifests"]) == 3


# The referrers tag schema


def schema(digest: Digest) -> str:
    return f"{WEB}/manifests/{digest.algorithm}-{digest.hex[:64]}"


def listed(answer: Any) -> set[str]:
    assert answer.headers["content-type"] == OCI_INDEX
    assert answer.headers["docker-content-digest"] == str(Digest.of(answer.content))
    return {one["digest"] for one in answer.json()["manifests"]}


def test_the_tag_of_the_schema_answers_as_the_api_does_although_nobody_keeps_it(wire: Wire) -> None:
    image = wire.image(reference="1.0")
    assert wire.push.get(schema(image)).status_code == 404
    notes = {str(wire.note(image, text)) for text in ("one", "two")}

    answer = wire.push.get(schema(image))
    assert answer.status_code == 200 and listed(answer) == notes
    assert answer.json() == wire.push.get(f"{WEB}/referrers/{image}").json()
    assert wire.push.head(schema(image)).headers["content-length"] == str(len(answer.content))
    assert wire.push.get(f"{WEB}/tags/list").json()["tags"] == ["1.0"]
    for note in notes:
        wire.push.delete(f"{WEB}/manifests/{note}")
    assert wire.push.get(schema(image)).status_code == 404


def test_a_tag_of_the_schema_that_somebody_keeps_is_kept_in_step(wire: Wire) -> None:
    image = wire.image(reference="1.0")
    first = wire.note(image, "first")
    kept = wire.index(first, reference=schema(image).rpartition("/")[2])
    assert wire.push.head(schema(image)).headers["docker-content-digest"] == str(kept)

    second = wire.note(image, "second")
    assert listed(wire.push.get(schema(image))) == {str(first), str(second)}
    other = wire.index(first, reference=schema(image).rpartition("/")[2])
    assert other == kept
    assert listed(wire.push.get(schema(image))) == {str(first), str(second)}
    # What is kept there is served by its digest as it was pushed.
    assert wire.push.get(f"{WEB}/manifests/{kept}").json()["manifests"][0]["digest"] == str(first)


def test_the_tag_of_the_schema_is_changed_by_one_client_at_a_time_if_they_ask_for_it(wire: Wire) -> None:
    image = wire.image(reference="1.0")
    note, tag = wire.note(image), schema(image).rpartition("/")[2]
    seen = wire.push.get(schema(image))
    body = seen.content.replace(b'"schemaVersion":2', b'"schemaVersion": 2')

    answers = [wire.put(body, tag, OCI_INDEX, headers={"If-Match": seen.headers["etag"]}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 412]
    assert listed(wire.push.get(schema(image))) == {str(note)}


def test_the_tag_of_the_schema_works_for_sha512_and_on_the_pull_endpoint(wire: Wire) -> None:
    body = wire.push.get(f"{WEB}/manifests/{wire.image()}").content
    image = Digest.of(body, "sha512")
    wire.put(body, str(image))
    note = wire.note(image)

    assert listed(wire.push.get(schema(image))) == {str(note)}
    answer = wire.pull.get(schema(image))
    assert (answer.status_code, code(answer)) == (403, "DENIED")
    wire.approve(image)
    assert listed(wire.pull.get(schema(image))) == {str(note)}


# Content management


def test_deleting_a_tag_leaves_the_manifest_and_deleting_the_manifest_takes_its_tags(wire: Wire) -> None:
    image = wire.image(reference="a")
    wire.put(wire.push.get(f"{WEB}/manifests/a").content, "b")

    assert wire.push.delete(f"{WEB}/manifests/a").status_code == 202
    assert wire.push.get(f"{WEB}/manifests/a").status_code == 404
    assert wire.push.get(f"{WEB}/manifests/{image}").status_code == 200
    assert wire.push.delete(f"{WEB}/manifests/{image}").status_code == 202
    for path in (f"manifests/{image}", "manifests/b"):
        for answer in (wire.push.get(f"{WEB}/{path}"), wire.push.delete(f"{WEB}/{path}")):
            assert (answer.status_code, code(answer)) == (404, "MANIFEST_UNKNOWN")
    answer = wire.push.delete(f"/v2/shop/none/manifests/{image}")
    assert answer.status_code == 404


def test_a_blob_is_deleted_once_and_never_from_under_a_manifest(wire: Wire) -> None:
    wire.blob(BLOB)
    wire.image("used", "1.0")

    assert wire.push.delete(f"{WEB}/blobs/{DIGEST}").status_code == 202
    for answer in (wire.push.get(f"{WEB}/blobs/{DIGEST}"), wire.push.delete(f"{WEB}/blobs/{DIGEST}")):
        assert (answer.status_code, code(answer)) == (404, "BLOB_UNKNOWN")
    answer = wire.push.delete(f"{WEB}/blobs/{Digest.of(b'used')}")
    assert (answer.status_code, code(answer), answer.headers["allow"]) == (405, "UNSUPPORTED", "GET, HEAD")
    assert wire.push.get(f"{WEB}/blobs/{Digest.of(b'used')}").content == b"used"


def test_nothing_is_written_on_the_pull_endpoint(wire: Wire) -> None:
    image = wire.image(reference="1.0")
    wire.approve(image)
    for method, path in (
        ("PUT", f"{WEB}/manifests/1.0"), ("DELETE", f"{WEB}/manifests/{image}"), ("POST", f"{WEB}/tags/list"),
        ("DELETE", f"{WEB}/blobs/{image}"), ("PATCH", f"{WEB}/blobs/{image}"),
    ):  # fmt: skip
        answer = wire.pull.request(method, path)
        assert (answer.status_code, code(answer)) == (405, "UNSUPPORTED")
        assert set(answer.headers["allow"].replace(" ", "").split(",")) == {"GET", "HEAD"}


# Warnings


def warnings(answer: Any) -> list[str]:
    said = answer.headers.get_list("warning")
    assert all(one.startswith('299 - "') and one.endswith('"') for one in said)
    assert sum(map(len, said)) <= 4_096
    return [one.removeprefix('299 - "').removesuffix('"') for one in said]


def test_a_push_says_what_the_image_does_not_say_and_what_is_out_of_use(wire: Wire) -> None:
    image = wire.image("plain", "1.0")
    body = wire.push.get(f"{WEB}/manifests/1.0").content
    (said,) = warnings(wire.put(body, "1.0"))
    assert "org.opencontainers.image.revision and org.opencontainers.image.source" in said
    document = json.loads(body)
    document["annotations"] = {
        "org.opencontainers.image.revision": "abc",
        "org.opencontainers.image.source": "https://x",
    }
    assert warnings(wire.put(json.dumps(document).encode(), "1.0")) == []
    foreign = descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar", b"elsewhere", urls=["https://x/y"])
    document["layers"].append(foreign)
    (said,) = warnings(wire.put(json.dumps(document).encode(), "1.0"))
    assert "out of use" in said
    note = wire.note(image)
    entry = {"mediaType": OCI_MANIFEST, "digest": str(note), "size": len(wire.registry.manifest(note))}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}).encode()
    (said,) = warnings(wire.put(index, schema(image).rpartition("/")[2], OCI_INDEX))
    assert "referrers API" in said


@pytest.mark.parametrize(
    ("left", "decision", "said"),
    [(timedelta(days=6), "", True), (timedelta(days=8), "", False), (timedelta(days=6), "d1", False),
     (timedelta(hours=11), "d1", True)],
)  # fmt: skip
def test_a_pull_says_when_the_approval_is_about_to_end(wire: Wire, left: timedelta, decision: str, said: bool) -> None:
    image = wire.image("plain", "1.0")
    wire.approve(image, until=wire.clock.now() + left, decision=decision)

    for answer in (wire.pull.get(f"{WEB}/manifests/1.0"), wire.pull.head(f"{WEB}/manifests/1.0")):
        assert (answer.status_code, bool(warnings(answer))) == (200, said)
    assert warnings(wire.push.get(f"{WEB}/manifests/1.0")) == []


def test_a_manifest_that_does_not_arrive_in_time_is_given_up(wire: Wire) -> None:
    async def dawdling() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(30)

    answer = wire.hasty.put(f"{WEB}/manifests/slow", content=dawdling(), headers={"Content-Type": OCI_MANIFEST})

    assert (answer.status_code, code(answer)) == (408, "SIZE_INVALID")
