"""What OCI distribution 1.1.1 demands or allows beyond the suite: lists, referrers, deletion and warnings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from lading.kernel.digest import Digest
from lading.supply_chain.registry.manifest import (
    EMPTY_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
)
from unit.entrypoints.registry.conftest import NOTE, Wire, code, descriptor

WEB = "/v2/shop/web"
UPLOADS = f"{WEB}/blobs/uploads/"
BLOB = b"0123456789" * 10_000
DIGEST = Digest.of(BLOB)


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
