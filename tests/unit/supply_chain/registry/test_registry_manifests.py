"""What the registry makes of a pushed manifest: refusals, facts, tags, attribution."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lading.facts.kinds.supply_chain import ImageMoved, ImagePushed, ManifestDeleted, OwnerChanged, TagMoved
from lading.kernel.digest import Digest
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.errors import (
    BlobInUse,
    BlobUnknown,
    Denied,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    UploadUnknown,
)
from lading.supply_chain.registry.manifest import DOCKER_MANIFEST, MOST_BYTES, OCI_INDEX, OCI_MANIFEST, read_manifest

ROBOT = Visitor("robot:shop/ci", "shop")
OTHER = Visitor("robot:mail/ci", "mail")
PERSON = Visitor("person:ada")


def test_a_pushed_image_is_stated_tagged_and_quarantined(each_bench: Any) -> None:
    digest = each_bench.image(tag="1.0", annotations={"org.opencontainers.image.revision": "abc123"})
    pushed, unattributed, moved, quarantined = [entry.fact for entry in each_bench.facts()]
    assert unattributed.missing == ("pipeline",)
    assert isinstance(pushed, ImagePushed)
    assert (pushed.digest, pushed.repository, pushed.tag, pushed.team) == (str(digest), "shop/web", "1.0", "shop")
    assert (pushed.principal, pushed.commit, len(pushed.layers)) == ("robot:shop/ci", "abc123", 1)
    assert moved == TagMoved(repository="shop/web", tag="1.0", digest=str(digest), previous="")
    assert isinstance(quarantined, ImageMoved)
    assert quarantined.after == "quarantined"
    assert each_bench.registry.resolve("shop/web", "1.0").digest == digest
    assert each_bench.registry.resolve("shop/web", str(digest)).media_type == OCI_MANIFEST


def test_pushing_again_changes_nothing(each_bench: Any) -> None:
    each_bench.image(tag="1.0")
    before = each_bench.facts()
    each_bench.image(tag="1.0")
    assert each_bench.facts() == before


def test_a_tag_that_moves_says_where_it_was(bench: Any) -> None:
    first, second = bench.image("one", tag="latest"), bench.image("two", tag="latest")
    moves = [entry.fact for entry in bench.facts() if isinstance(entry.fact, TagMoved)]
    assert moves[-1] == TagMoved(repository="shop/web", tag="latest", digest=str(second), previous=str(first))
    assert bench.registry.resolve("shop/web", str(first)).digest == first


def test_a_manifest_that_names_what_was_never_pushed_here_is_refused(bench: Any) -> None:
    bench.image(repository="shop/web")
    body = bench.registry.manifest(bench.image(repository="shop/web"))
    with pytest.raises(ManifestBlobUnknown, match="never pushed to shop/other"):
        bench.registry.put_manifest("shop/other", "latest", OCI_MANIFEST, body, ROBOT)


def test_a_manifest_that_lies_about_a_size_is_refused(bench: Any) -> None:
    document = json.loads(bench.registry.manifest(bench.image()))
    document["layers"][0]["size"] += 1
    with pytest.raises(ManifestInvalid, match="bytes; it has"):
        bench.push(document)


def test_a_manifest_is_refused_under_another_digest(bench: Any) -> None:
    body = bench.registry.manifest(bench.image())
    with pytest.raises(DigestInvalid):
        bench.registry.put_manifest("shop/web", str(Digest.of(b"other")), OCI_MANIFEST, body, ROBOT)


def _image(**more: Any) -> dict[str, Any]:
    part = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": str(Digest.of(b"{}")), "size": 2}
    return {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": part, "layers": [], **more}


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", OCI_MANIFEST),
        (b"[]", OCI_MANIFEST),
        (b"\xff\xfe", OCI_MANIFEST),
        (b"[" * 100_000, OCI_MANIFEST),
        (json.dumps(_image()).encode()[:-1], OCI_MANIFEST),
        (b'{"a":' * 70 + b"1" + b"}" * 70, OCI_MANIFEST),
        (json.dumps(_image()).encode() + b" " * MOST_BYTES, OCI_MANIFEST),
        (json.dumps(_image()).encode(), OCI_INDEX),
        (json.dumps(_image()).encode(), "text/html"),
        (json.dumps(_image(schemaVersion=1)).encode(), OCI_MANIFEST),
        (json.dumps(_image(manifests=[])).encode(), OCI_MANIFEST),
        (json.dumps(_image(layers={})).encode(), OCI_MANIFEST),
        (json.dumps(_image(layers=[[]])).encode(), OCI_MANIFEST),
        (json.dumps(_image(config=None)).encode(), OCI_MANIFEST),
        (json.dumps(_image(config={"mediaType": "a", "digest": "sha256:../../etc", "size": 1})).encode(), OCI_MANIFEST),
        (json.dumps(_image(config={"mediaType": "a", "digest": str(Digest.of(b"")), "size": -1})).encode(), OCI_MANIFEST),
        (json.dumps(_image(config={"mediaType": "a", "digest": str(Digest.of(b"")), "size": True})).encode(), OCI_MANIFEST),
        (json.dumps(_image(config={"mediaType": "a\0", "digest": str(Digest.of(b"")), "size": 0})).encode(), OCI_MANIFEST),
        (json.dumps(_image(annotations={"a": 1})).encode(), OCI_MANIFEST),
        (json.dumps(_image(artifactType=[1])).encode(), OCI_MANIFEST),
        (json.dumps({key: value for key, value in _image().items() if key != "mediaType"}).encode(), DOCKER_MANIFEST),
    ],
)  # fmt: skip
def test_hostile_manifests_are_refused(body: bytes, media_type: str) -> None:
    with pytest.raises(ManifestInvalid):
        read_manifest(body, media_type)


@pytest.mark.parametrize("name", ["../etc", "a//b", "A/b", "a/../b", "", "a/b\0", "x" * 300, "a/.b", "\ud800"])
def test_names_outside_the_grammar_are_refused_everywhere(bench: Any, name: str) -> None:
    registry = bench.registry
    for attempt in (
        lambda: registry.start_upload(name),
        lambda: registry.put_manifest(name, "latest", OCI_MANIFEST, json.dumps(_image()).encode(), ROBOT),
        lambda: registry.put_blob(name, b"x", ROBOT),
        lambda: registry.resolve(name, "latest"),
        lambda: registry.tags(name),
        lambda: registry.mount("shop/web", Digest.of(b"x"), name, ROBOT),
    ):
        with pytest.raises(NameInvalid):
            attempt()


def test_an_upload_counts_in_its_own_repository_only(bench: Any) -> None:
    upload = bench.registry.start_upload("shop/web")
    assert bench.registry.append("shop/web", upload, b"abc", at=0) == 3
    with pytest.raises(UploadUnknown):
        bench.registry.append("mail/web", upload, b"evil", at=3)
    with pytest.raises(UploadUnknown):
        bench.registry.cancel_upload("mail/web", upload)
    assert bench.registry.finish_upload("shop/web", upload, Digest.of(b"abc"), ROBOT) == 3


def test_the_first_push_claims_the_namespace_for_its_team(each_bench: Any) -> None:
    registry = each_bench.registry
    assert registry.team_of("shop/web") == ""
    assert registry.claim("shop/web", ROBOT) == "shop"
    assert registry.team_of("shop/db") == "shop"
    assert registry.claim("shop/db", OTHER) == "shop"
    assert registry.claim("mail/web", OTHER) == "mail"


def test_who_works_for_no_team_claims_nothing(bench: Any) -> None:
    with pytest.raises(Denied, match="works for no team"):
        bench.registry.claim("shop/web", PERSON)
    bench.registry.claim("shop/web", ROBOT)
    assert bench.registry.claim("shop/db", PERSON) == "shop"


def test_a_mounted_blob_needs_no_bytes_and_must_be_in_the_source(bench: Any) -> None:
    digest = bench.registry.put_blob("shop/web", b"abc", ROBOT)
    assert bench.registry.mount("shop/db", digest, "shop/web", ROBOT)
    assert bench.registry.blob_size("shop/db", digest) == 3
    assert not bench.registry.mount("shop/db", Digest.of(b"nothing"), "shop/web", ROBOT)


def test_a_blob_that_an_image_needs_stays_until_the_image_goes(bench: Any) -> None:
    digest = bench.image(tag="1.0")
    used = bench.registry.layers(digest)[0].digest
    with pytest.raises(BlobInUse, match="part of"):
        bench.registry.delete_blob("shop/web", used)
    bench.registry.delete_manifest("shop/web", digest, ROBOT)
    bench.registry.delete_blob("shop/web", used)
    with pytest.raises(BlobUnknown):
        bench.registry.blob_size("shop/web", used)


def test_deleting_is_stated_and_takes_tags_along(bench: Any) -> None:
    digest = bench.image(tag="1.0")
    bench.registry.delete_manifest("shop/web", digest, ROBOT)
    gone = [entry.fact for entry in bench.facts()][-2:]
    assert gone == [
        TagMoved(repository="shop/web", tag="1.0", digest="", previous=str(digest)),
        ManifestDeleted(digest=str(digest), repository="shop/web"),
    ]
    for reference in ("1.0", str(digest)):
        with pytest.raises(ManifestUnknown):
            bench.registry.resolve("shop/web", reference)
    with pytest.raises(ManifestUnknown):
        bench.registry.delete_manifest("shop/web", digest, ROBOT)


def test_a_revoked_image_stays_revoked_when_it_is_deleted_and_pushed_again(bench: Any) -> None:
    digest = bench.image()
    bench.move(digest, "revoked")
    bench.registry.delete_manifests("shop/web", lambda _tx: [str(digest)], ROBOT)  # as retention does
    assert bench.image() == digest
    assert bench.states.state(digest).state == "revoked"


def test_a_deleted_tag_leaves_the_image(bench: Any) -> None:
    digest = bench.image(tag="1.0")
    bench.registry.delete_tag("shop/web", "1.0", ROBOT)
    assert bench.registry.resolve("shop/web", str(digest)).digest == digest
    assert bench.registry.tags("shop/web") == []
    with pytest.raises(ManifestUnknown):
        bench.registry.delete_tag("shop/web", "1.0", ROBOT)


def test_tags_come_in_order_page_by_page(each_bench: Any) -> None:
    for tag in ("b", "a", "10", "9"):
        each_bench.image(tag=tag)
    assert each_bench.registry.tags("shop/web") == ["10", "9", "a", "b"]
    assert each_bench.registry.tags("shop/web", limit=2, after="10") == ["9", "a"]
    assert each_bench.registry.tags("shop/web", limit=0) == []
    with pytest.raises(NameUnknown):
        each_bench.registry.tags("shop/nothing")


def test_the_layers_of_an_index_are_those_of_our_platform(bench: Any) -> None:
    arm, amd = bench.image("arm"), bench.image("amd")
    index = bench.index(arm, amd, platforms=("linux/arm64", "linux/amd64"), tag="1.0")
    assert bench.registry.layers(index) == bench.registry.layers(amd)
    assert bench.registry.config(index)["config"]["Labels"] == {"a": "amd"}
    assert bench.registry.images_in(index) == [arm, amd]
    assert bench.registry.images_in(amd) == [amd]


def test_the_first_image_with_a_layer_brought_it(each_bench: Any) -> None:
    first = each_bench.image("same", repository="base/os", visitor=Visitor("robot:base/ci", "base"))
    each_bench.clock.sleep(1)
    second = each_bench.image("same", repository="shop/web", annotations={"later": "yes"})
    assert first != second
    origin = each_bench.registry.origin(each_bench.registry.layers(second)[0].digest)
    assert (origin.image, origin.repository, origin.team) == (str(first), "base/os", "base")
    assert each_bench.registry.origin(Digest.of(b"never")) is None


def test_images_are_listed_without_what_belongs_to_them(bench: Any) -> None:
    image = bench.image(tag="1.0")
    bench.artifact(b"{}", subject=bench.subject(image))
    row, *others = bench.registry.images()
    assert (row.digest, row.tags, row.team, others) == (str(image), ["1.0"], "shop", [])


def test_referrers_are_filtered_and_paged(each_bench: Any) -> None:
    image = each_bench.image()
    found = {
        str(each_bench.artifact(content, subject=each_bench.subject(image), artifactType=kind)): kind
        for content, kind in ((b"1", "application/a"), (b"2", "application/b"), (b"3", "application/b"))
    }
    every = each_bench.registry.referrers("shop/web", image)["manifests"]
    assert {one["digest"]: one["artifactType"] for one in every} == found
    some = each_bench.registry.referrers("shop/web", image, "application/b")["manifests"]
    assert len(some) == 2
    rest = each_bench.registry.referrers("shop/web", image, after=every[0]["digest"])["manifests"]
    assert rest == every[1:]


def test_changing_the_owner_is_stated_once(bench: Any) -> None:
    digest = bench.image()
    bench.registry.change_owner(digest, "mail", actor="person:ada")
    bench.registry.change_owner(digest, "mail", actor="person:ada")
    changes = [entry.fact for entry in bench.facts() if isinstance(entry.fact, OwnerChanged)]
    assert changes == [OwnerChanged(digest=str(digest), before="shop", team="mail")]


def test_an_unreadable_configuration_is_an_error_and_not_an_empty_one(bench: Any) -> None:
    content = b"not json"
    bench.registry.put_blob("shop/web", content, ROBOT)
    part = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": str(Digest.of(content)), "size": 8}
    with pytest.raises(ManifestInvalid, match="not a JSON object"):
        bench.registry.config(bench.push(_image(config=part)))


def test_pushes_of_one_manifest_and_of_one_new_tag_at_once_all_succeed(each_bench: Any) -> None:
    images = [each_bench.image(text) for text in ("one", "two")]
    bodies = [each_bench.registry.manifest(image) for image in images]
    for part in json.loads(bodies[0])["layers"] + [json.loads(bodies[0])["config"]]:
        assert each_bench.registry.mount("shop/same", Digest.parse(part["digest"]), "shop/web", ROBOT)

    def put(number: int) -> bool:
        each_bench.registry.put_manifest("shop/web", "new", OCI_MANIFEST, bodies[number % 2], ROBOT)
        return each_bench.registry.put_manifest("shop/same", "1", OCI_MANIFEST, bodies[0], ROBOT).created

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(put, range(16)))

    assert created.count(True) == 1
    moves = [entry.fact for entry in each_bench.facts() if isinstance(entry.fact, TagMoved)]
    assert [move.digest for move in moves if move.repository == "shop/same"] == [str(images[0])]
    # Each move of the contested tag says what the tag named before it, without a gap.
    contested = [move for move in moves if move.tag == "new"]
    assert [move.previous for move in contested] == ["", *[move.digest for move in contested[:-1]]]
