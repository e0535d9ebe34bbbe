"""What may be pulled, and the ways around it that must not work."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from lading.kernel.digest import Digest
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.errors import Denied
from lading.supply_chain.registry.manifest import COSIGN_PAYLOAD, DSSE_ENVELOPE, OCI_INDEX, OCI_MANIFEST
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.states import State

CONFIG = "application/vnd.oci.image.config.v1+json"
ROBOT = Visitor("robot:shop/ci", "shop")


def refused(bench: Any, digest: Digest) -> str:
    with pytest.raises(Denied) as caught:
        bench.serving.check_manifest("shop/web", digest)
    return str(caught.value)


def approved(bench: Any, text: str = "hello", **more: Any) -> Digest:
    digest: Digest = bench.image(text, **more)
    bench.move(digest, State.APPROVED)
    return digest


def test_only_approved_images_are_served_and_the_refusal_says_why(each_bench: Any) -> None:
    digest = each_bench.image()
    assert "not judged yet" in refused(each_bench, digest)
    each_bench.move(digest, State.QUARANTINED, why="refused by no-critical", decision="d-17")
    assert "refused by no-critical (decision d-17)" in refused(each_bench, digest)
    each_bench.move(digest, State.APPROVED, until=each_bench.clock.now() + timedelta(days=1))
    each_bench.serving.check_manifest("shop/web", digest)
    each_bench.clock.advance(timedelta(days=2))
    assert "expired" in refused(each_bench, digest)
    each_bench.move(digest, State.REVOKED, why="malware", replaced_by="shop/web:2")
    assert "malware" in refused(each_bench, digest)
    assert "shop/web:2" in refused(each_bench, digest)


def test_blobs_are_served_when_an_approved_manifest_names_them(each_bench: Any) -> None:
    digest = each_bench.image()
    layer = each_bench.registry.layers(digest)[0].digest
    with pytest.raises(Denied):
        each_bench.serving.check_blob("shop/web", layer)
    each_bench.move(digest, State.APPROVED)
    each_bench.serving.check_blob("shop/web", layer)
    loose = each_bench.registry.put_blob("shop/web", b"loose", ROBOT)
    with pytest.raises(Denied, match="not part of any"):
        each_bench.serving.check_blob("shop/web", loose)


def test_one_approved_user_of_a_blob_is_enough_however_many_are_not(bench: Any) -> None:
    good = approved(bench)
    for number in range(20):
        bench.image(annotations={"number": str(number)})
    bench.serving.check_blob("shop/web", bench.registry.layers(good)[0].digest)


PLATFORMS = ("linux/arm64", "linux/amd64")


def test_an_approved_index_is_served_with_the_member_that_it_was_judged_by(each_bench: Any) -> None:
    arm, amd = each_bench.image("arm"), each_bench.image("amd")
    inner = each_bench.index(arm, amd, platforms=PLATFORMS)
    index = each_bench.index(inner)
    refused(each_bench, amd)
    each_bench.move(index, State.APPROVED)
    for digest in (index, inner, amd):
        each_bench.serving.check_manifest("shop/web", digest)
    each_bench.serving.check_blob("shop/web", each_bench.registry.layers(amd)[0].digest)
    refused(each_bench, arm)
    with pytest.raises(Denied):
        each_bench.serving.check_blob("shop/web", each_bench.registry.layers(arm)[0].digest)
    each_bench.move(arm, State.APPROVED)
    each_bench.serving.check_manifest("shop/web", arm)


@pytest.mark.parametrize(
    ("move", "words"),
    [
        ({"to": State.QUARANTINED, "why": "refused by a rule", "decision": "d-1"}, "refused by a rule"),
        ({"to": State.REVOKED, "why": "malware"}, "malware"),
    ],
)
def test_a_member_that_was_judged_by_itself_is_not_served_by_way_of_its_index(
    bench: Any, move: dict[str, Any], words: str
) -> None:
    member = bench.image()
    bench.move(bench.index(member), State.APPROVED)
    bench.serving.check_manifest("shop/web", member)
    bench.move(member, **move)
    assert words in refused(bench, member)


def test_an_approved_member_does_not_make_its_index_servable(bench: Any) -> None:
    refused(bench, bench.index(approved(bench)))


def test_what_belongs_to_an_approved_image_is_served(bench: Any) -> None:
    image = bench.image()
    attestation = bench.artifact(b"{}", subject=bench.subject(image))
    refused(bench, attestation)
    bench.move(image, State.APPROVED)
    bench.serving.check_manifest("shop/web", attestation)
    bench.move(image, State.REVOKED)
    refused(bench, attestation)


def test_what_belongs_to_a_member_of_an_approved_index_is_served(bench: Any) -> None:
    image = bench.image()
    attestation = bench.artifact(b"{}", subject=bench.subject(image))
    bench.move(bench.index(image), State.APPROVED)
    bench.serving.check_manifest("shop/web", attestation)


@pytest.mark.parametrize("artifact_type", [None, "application/vnd.dsse.envelope.v1+json"])
def test_an_image_that_refers_to_an_approved_one_needs_an_approval_of_its_own(
    bench: Any, artifact_type: str | None
) -> None:
    good = approved(bench)
    more = {"artifactType": artifact_type} if artifact_type else {}
    assert "not judged yet" in refused(bench, bench.image("evil", subject=bench.subject(good), **more))


@pytest.mark.parametrize(
    ("config", "layer"),
    [
        ("application/vnd.docker.container.image.v1+json", "application/x-anything"),
        ("application/octet-stream", "application/x-anything"),
        ("", "application/x-anything"),
        ("application/x-anything", "application/vnd.oci.image.layer.v1.tar+zstd"),
        ("application/x-anything", "application/vnd.docker.image.rootfs.diff.tar.gzip"),
    ],
)
def test_what_an_engine_might_run_is_no_artifact(bench: Any, config: str, layer: str) -> None:
    good = approved(bench)
    for content in (b"{}", b"tar"):
        bench.registry.put_blob("shop/web", content, ROBOT)
    body = {
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "subject": bench.subject(good),
        "config": {"mediaType": config, "digest": str(Digest.of(b"{}")), "size": 2},
        "layers": [{"mediaType": layer, "digest": str(Digest.of(b"tar")), "size": 3}],
    }  # fmt: skip
    refused(bench, bench.push(body))


def test_an_index_that_refers_to_an_approved_image_brings_nothing_in(bench: Any) -> None:
    good, evil = approved(bench), bench.image("evil")
    index = bench.index(evil, subject=bench.subject(good))
    refused(bench, index)
    refused(bench, evil)


def signature(bench: Any, content: bytes, tag: str, *kinds: str) -> Digest:
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [str(Digest.of(content))]}}).encode()
    for part in (config, content):
        bench.registry.put_blob("shop/web", part, ROBOT)
    body = {
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"mediaType": CONFIG, "digest": str(Digest.of(config)), "size": len(config)},
        "layers": [{"mediaType": kind, "digest": str(Digest.of(content)), "size": len(content)}
                   for kind in kinds or (COSIGN_PAYLOAD,)],
    }  # fmt: skip
    found: Digest = bench.push(body, tag=tag)
    return found


@pytest.mark.parametrize(("kind", "end"), [(COSIGN_PAYLOAD, "sig"), (DSSE_ENVELOPE, "att")])
def test_a_signature_is_served_with_the_image_that_its_tag_names(bench: Any, kind: str, end: str) -> None:
    image = bench.image()
    made = signature(bench, b'{"critical": {}}', f"sha256-{image.hex}.{end}", kind, kind)
    assert bench.states.state(made) is None
    refused(bench, made)
    bench.move(image, State.APPROVED)
    bench.serving.check_manifest("shop/web", made)
    assert [row.digest for row in bench.registry.images()] == [str(image)]


@pytest.mark.parametrize("kinds", [(COSIGN_PAYLOAD,), (DSSE_ENVELOPE,)])
@pytest.mark.parametrize("content", [b"\x1f\x8b tar", b"{} tar", b"[]"])
def test_an_image_in_the_clothes_of_a_signature_is_not_served(
    bench: Any, content: bytes, kinds: tuple[str, ...]
) -> None:
    good = approved(bench)
    refused(bench, signature(bench, content, f"sha256-{good.hex}.sig", *kinds))


@pytest.mark.parametrize(
    ("size", "kinds"),
    [
        (70_000, (COSIGN_PAYLOAD,)),
        ((32 << 20) + 1, (DSSE_ENVELOPE,)),
        (30 << 20, (DSSE_ENVELOPE,) * 3),
        (9, (DSSE_ENVELOPE, COSIGN_PAYLOAD)),
        (9, (DSSE_ENVELOPE, "application/vnd.oci.image.layer.v1.tar")),
    ],
)
def test_what_is_too_large_or_mixed_is_no_signature(bench: Any, size: int, kinds: tuple[str, ...]) -> None:
    good = approved(bench)
    refused(bench, signature(bench, b"{" + b" " * (size - 2) + b"}", f"sha256-{good.hex}.att", *kinds))


def test_a_web_of_indexes_is_answered_soon(bench: Any) -> None:
    members = [bench.image(str(number)) for number in range(3)]
    for depth in range(6):
        members = [bench.index(*members, annotations={"number": f"{depth}-{number}"}) for number in range(6)]
    refused(bench, bench.registry.images_in(members[0])[0])
    assert bench.registry.resolve("shop/web", str(members[0])).media_type == OCI_INDEX


def test_an_index_is_as_good_as_its_worst_platform(each_bench: Any) -> None:
    arm, amd = approved(each_bench, "arm"), approved(each_bench, "amd")
    index = each_bench.index(each_bench.index(arm, amd, platforms=PLATFORMS))
    each_bench.move(index, State.APPROVED)
    each_bench.serving.check_manifest("shop/web", index)
    each_bench.move(arm, State.REVOKED, why="malware", replaced_by="shop/web:2")
    for words in ("linux/arm64", str(arm), "malware", "Use shop/web:2 instead"):
        assert words in refused(each_bench, index)
    each_bench.serving.check_manifest("shop/web", amd)


def test_an_approval_of_a_member_that_ran_out_holds_the_index(bench: Any) -> None:
    member = bench.image()
    bench.move(member, State.APPROVED, until=bench.clock.now() + timedelta(days=1))
    index = bench.index(member)
    bench.move(index, State.APPROVED)
    bench.clock.advance(timedelta(days=2))
    assert "expired" in refused(bench, index)


def test_an_index_can_be_judged_by_chosen_platforms_alone(bench: Any) -> None:
    arm, amd = approved(bench, "arm"), approved(bench, "amd")
    index = bench.index(arm, amd, platforms=PLATFORMS)
    bench.move(index, State.APPROVED)
    bench.move(arm, State.REVOKED, why="malware")

    def narrowed(*platforms: str) -> Serving:
        return Serving(bench.database, bench.registry, bench.states, platforms)

    narrowed("linux/amd64").check_manifest("shop/web", index)
    for others in (narrowed("linux/arm64"), narrowed("linux/s390x")):
        with pytest.raises(Denied, match="malware"):
            others.check_manifest("shop/web", index)
    with pytest.raises(Denied, match="malware"):
        narrowed("linux/amd64").check_manifest("shop/web", arm)


def test_a_revoked_image_is_replaced_by_what_its_tag_names_now_once_that_is_approved(each_bench: Any) -> None:
    old = approved(each_bench, "old", tag="1.0")
    new = each_bench.image("new", tag="1.0")
    each_bench.move(old, State.REVOKED, why="malware")
    assert "instead" not in refused(each_bench, old)
    each_bench.move(new, State.APPROVED, until=each_bench.clock.now() + timedelta(days=1))
    assert f"Use shop/web:1.0@{new} instead" in refused(each_bench, old)
    with pytest.raises(Denied, match=r"Use shop/web:1\.0@"):
        each_bench.serving.check_blob("shop/web", each_bench.registry.layers(old)[0].digest)
    each_bench.clock.advance(timedelta(days=2))
    assert "instead" not in refused(each_bench, old)


def test_what_is_revoked_is_not_deleted_by_hand(bench: Any) -> None:
    digest = approved(bench)
    bench.move(digest, State.REVOKED, why="malware")
    with pytest.raises(Denied, match="evidence"):
        bench.registry.delete_manifest("shop/web", digest, ROBOT)
    assert bench.registry.resolve("shop/web", str(digest)).digest == digest
