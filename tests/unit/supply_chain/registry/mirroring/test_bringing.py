"""From a wish to an image that may be pulled, and all that can come between."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from lading.facts.kinds.mirroring import (
    ImageMirrored,
    UpstreamFailed,
    UpstreamLied,
    UpstreamRecovered,
    UpstreamTagGone,
    UpstreamTagHeld,
)
from lading.kernel.digest import Digest
from lading.kernel.reference import Reference
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.errors import (
    BlobUnknown,
    Denied,
    ManifestUnknown,
    RemoteDenied,
    RemoteFailed,
    StorageFailed,
)
from lading.supply_chain.registry.manifest import COSIGN_PAYLOAD, DSSE_ENVELOPE, OCI_MANIFEST
from lading.supply_chain.registry.mirroring.awaiting import Stale
from lading.supply_chain.registry.mirroring.errors import Throttled
from lading.supply_chain.registry.mirroring.quota import Quota
from lading.supply_chain.registry.mirroring.standings import MirrorStandings
from lading.supply_chain.registry.mirroring.upstream import UNNAMED, Upstream
from lading.supply_chain.registry.states import State

REPOSITORY = "hub/library/os"


def test_a_tag_comes_is_judged_and_is_served_only_then(each_mirror: Any) -> None:
    mirror = each_mirror
    digest = mirror.image("one", "1")
    seen: list[State] = []
    admit = mirror.judge.admit

    def judged(image: Digest, *rest: Any) -> None:
        seen.append(mirror.states.state(image).state)
        with pytest.raises(ManifestUnknown):
            mirror.tagged("1")
        with pytest.raises(Denied):
            mirror.serving.check_manifest(REPOSITORY, image)
        admit(image, *rest)

    mirror.judge.admit = judged
    assert mirror.wish("1").outcome == "brought"
    assert seen == [State.QUARANTINED]
    assert mirror.tagged("1") == digest
    mirror.serving.check_manifest(REPOSITORY, digest)
    fact = mirror.told(ImageMirrored)[0]
    assert (fact.digest, fact.repository, fact.tag, fact.remote) == (
        str(digest), REPOSITORY, "1", "https://hub.example/library/os",
    )  # fmt: skip
    assert mirror.registry.team_of(REPOSITORY) == "base"


def test_a_digest_comes_with_all_that_an_index_lists(mirror: Any) -> None:
    index = mirror.index("1", "linux/amd64", "linux/arm64")
    assert mirror.wish(str(index)).outcome == "brought"
    assert len(mirror.registry.images_in(index)) == 2
    with pytest.raises(ManifestUnknown):
        mirror.tagged("1")


def test_an_index_comes_for_some_platforms_and_others_are_not_had_by_digest(mirror: Any) -> None:
    mirror.upstreams.change("hub", {"platforms": ("linux/amd64",)}, actor="person:ada")
    index = mirror.index("1", "linux/arm64", "linux/amd64")
    arm, amd = (Digest.parse(item["digest"]) for item in json.loads(
        mirror.remote.manifest("library/os", "1").body)["manifests"])  # fmt: skip
    assert mirror.wish("1").outcome == "brought"
    assert mirror.tagged("1") == index
    assert mirror.registry.config(index)["config"]["Labels"]["a"] == "linux/amd64"
    mirror.serving.check_manifest(REPOSITORY, index)
    mirror.registry.resolve(REPOSITORY, str(amd))
    row = mirror.wish(str(arm))
    assert row.outcome == "refused" and "linux/arm64" in row.why
    # The tag can be moved once more although one image is not here.
    mirror.wish("1")


def test_an_index_without_any_platform_that_is_mirrored_is_refused(mirror: Any) -> None:
    mirror.upstreams.change("hub", {"platforms": ("linux/s390x",)}, actor="person:ada")
    mirror.index("1", "linux/arm64", "linux/amd64")
    row = mirror.wish("1")
    assert (row.outcome == "refused" and "linux/amd64, linux/arm64" in row.why) or "no image for" in row.why


def test_referrers_and_signatures_come_along_and_are_looked_for_again_after_a_day(mirror: Any) -> None:
    digest = mirror.image("one", "1")
    subject = {"mediaType": OCI_MANIFEST, "digest": str(digest), "size": 1}
    empty = mirror.remote.put_blob("library/os", b"{}")
    part = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": str(empty), "size": 2}

    def attach(number: int) -> Digest:
        body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": f"a/{number}", "config": part,
                "layers": [part], "subject": subject}  # fmt: skip
        return mirror.remote.put_manifest("library/os", OCI_MANIFEST, json.dumps(body).encode())  # type: ignore[no-any-return]

    payload = b'{"critical": {}}'
    mirror.remote.put_blob("library/os", payload)
    signature = {
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": {**part, "mediaType": "application/vnd.oci.image.config.v1+json"},
        "layers": [{"mediaType": COSIGN_PAYLOAD, "digest": str(Digest.of(payload)), "size": len(payload)}],
    }  # fmt: skip
    tag = f"sha256-{digest.hex}.sig"
    signed = mirror.remote.put_manifest("library/os", OCI_MANIFEST, json.dumps(signature).encode(), tag=tag)
    first = attach(1)
    mirror.wish("1")
    assert mirror.tagged(tag) == signed
    listed = [item["digest"] for item in mirror.registry.referrers(REPOSITORY, digest)["manifests"]]
    assert str(first) in listed
    mirror.serving.check_manifest(REPOSITORY, first)
    mirror.serving.check_manifest(REPOSITORY, signed)
    second = attach(2)
    mirror.wish("1")
    with pytest.raises(Denied):
        mirror.serving.check_manifest(REPOSITORY, second)
    mirror.clock.advance(timedelta(days=1))
    mirror.wish("1")
    mirror.serving.check_manifest(REPOSITORY, second)
    # And by its own tag, as verifiers ask for it.
    assert mirror.wish(tag).outcome == "unchanged"
    assert mirror.judge.judged == [digest]


def test_an_image_is_not_here_before_all_that_refers_to_it_is(mirror: Any) -> None:
    digest = mirror.image("one", "1")

    def throttle(method: str, _what: str) -> None:
        if method == "referrers":
            raise Throttled("too many")

    mirror.remote.before = throttle
    assert mirror.wish("1").outcome == "throttled"
    with pytest.raises(ManifestUnknown):
        mirror.registry.resolve(REPOSITORY, str(digest))
    assert not mirror.judge.judged
    mirror.remote.before = lambda _method, _what: None
    mirror.upstreams.hurry("hub")
    mirror.remote.asked.clear()
    assert mirror.wish("1").outcome == "brought"
    assert not [asked for asked in mirror.remote.asked if asked[0] == "blob"], "blobs are here"


def test_an_image_that_cannot_be_judged_is_not_served_and_says_so(mirror: Any) -> None:
    old = mirror.image("one", "1")
    mirror.wish("1")
    mirror.image("two", "1")

    def fail(_image: Digest, _repository: str, _telling: Any) -> None:
        raise StorageFailed("the disk is full")

    mirror.judge.admit = fail
    row = mirror.wish("1")
    assert (row.outcome, row.why) == ("failed", "the disk is full")
    assert mirror.tagged("1") == old
    assert "could not be judged: the disk is full" in mirror.status.problems[0]
    assert mirror.status.circuit == "closed"


def test_nothing_is_asked_for_when_there_is_no_room(mirror: Any) -> None:
    mirror.image("one", "1")

    def full() -> None:
        raise StorageFailed("only 3 MB free")

    mirror.mirroring = mirror.story(demand_space=full)
    assert mirror.wish("1").why == "only 3 MB free"
    assert not mirror.remote.asked and mirror.status.circuit == "closed"


def test_a_tag_that_did_not_move_costs_one_question(mirror: Any) -> None:
    mirror.image("one", "1")
    mirror.wish("1")
    mirror.remote.asked.clear()
    assert mirror.wish("1").outcome == "unchanged"
    assert dict(mirror.remote.asked) == {("look", "1"): 1}


def test_a_tag_moves_only_to_what_is_approved(mirror: Any) -> None:
    old = mirror.image("one", "1")
    mirror.wish("1")
    new = mirror.image("two", "1")
    mirror.judge.refused.add(new)
    assert mirror.wish("1").outcome == "brought"
    assert mirror.tagged("1") == old
    held = mirror.told(UpstreamTagHeld)[0]
    assert (held.digest, held.kept, held.why) == (str(new), str(old), "quarantined: refused by rule-1")
    stale = mirror.awaiting.ask(REPOSITORY, "1")
    assert not stale.warning and stale.remarks[0].startswith(f"at hub it is {new}, which is quarantined")
    assert mirror.status.held == 1
    # Somebody approves it by hand.
    with mirror.database.write() as tx:
        mirror.states.move(tx, new, State.APPROVED, who="person:ada", why="looked at")
    mirror.wish("1")
    assert mirror.tagged("1") == new and mirror.status.held == 0
    assert len(mirror.told(UpstreamTagHeld)) == 1


def test_the_first_image_of_a_tag_that_is_refused_says_why(mirror: Any) -> None:
    digest = mirror.image("one", "1")
    mirror.judge.refused.add(digest)
    mirror.wish("1")
    assert mirror.tagged("1") == digest
    with pytest.raises(Denied, match="refused by rule-1"):
        mirror.serving.check_manifest(REPOSITORY, digest)


def test_what_the_lists_do_not_let_in_is_never_asked_for(mirror: Any) -> None:
    mirror.upstreams.change("hub", {"deny": ("*:latest",)}, actor="person:ada")
    mirror.image("one", "latest")
    assert mirror.wish("latest").outcome == "refused"
    assert not mirror.remote.asked


def test_an_unknown_image_is_unknown_and_a_tag_that_goes_stays_here(mirror: Any) -> None:
    assert mirror.wish("2").outcome == "unknown"
    digest = mirror.image("one", "1")
    mirror.wish("1")
    mirror.remote.remove_tag("library/os", "1")
    assert mirror.wish("1").outcome == "unknown"
    mirror.wish("1")
    assert mirror.tagged("1") == digest
    assert [fact.tag for fact in mirror.told(UpstreamTagGone)] == ["1"]
    assert mirror.awaiting.ask(REPOSITORY, "1").remarks == ("hub has this tag no longer",)
    assert "is gone at the upstream" in mirror.status.problems[0]


def test_an_upstream_that_lies_about_a_blob_leaves_nothing(mirror: Any) -> None:
    mirror.image("one", "1")
    mirror.remote.put_blob("library/os", b"two", Digest.of(b"one"))
    row = mirror.wish("1")
    assert row.outcome == "mismatch"
    with pytest.raises(BlobUnknown):
        mirror.registry.blob_size(REPOSITORY, Digest.of(b"one"))
    with pytest.raises(ManifestUnknown):
        mirror.tagged("1")
    assert mirror.told(UpstreamLied)[0].repository == REPOSITORY
    assert (mirror.status.lied, mirror.status.circuit) == (1, "closed")


def test_an_upstream_that_lies_about_a_manifest_leaves_nothing(mirror: Any) -> None:
    digest, other = mirror.image("one", "1"), mirror.image("two")
    body = mirror.remote.manifest("library/os", str(other)).body
    mirror.remote.put_manifest("library/os", OCI_MANIFEST, body, tag="1", digest=digest)
    assert mirror.wish("1").outcome == "mismatch"
    assert mirror.wish(str(digest)).outcome == "mismatch"
    with pytest.raises(ManifestUnknown):
        mirror.registry.resolve(REPOSITORY, str(other))


def test_an_upstream_that_fails_rests_longer_each_time_and_recovers(mirror: Any) -> None:
    mirror.image("one", "1")

    def down(_method: str, _what: str) -> None:
        raise RemoteFailed("nobody answers")

    mirror.remote.before = down
    for failures in range(1, 8):
        assert mirror.wish("1").outcome == "failed"
        assert (mirror.status.failures, mirror.status.circuit) == (failures, "open")
        asked = mirror.remote.asked.total()
        assert mirror.wish("1").outcome == "throttled", "it is left alone"
        assert mirror.remote.asked.total() == asked
        mirror.clock.advance(timedelta(seconds=500))
        assert mirror.status.circuit == "half-open"
    assert [fact.standing for fact in mirror.told(UpstreamFailed)] == ["failing"]
    mirror.remote.before = lambda _method, _what: None
    assert mirror.wish("1").outcome == "brought"
    assert mirror.told(UpstreamRecovered)[0].seconds == 3500
    assert (mirror.status.standing, mirror.status.circuit, mirror.status.failures) == ("up", "closed", 0)


def test_of_those_who_come_after_a_rest_one_tries(mirror: Any) -> None:
    mirror.health.failed("hub", "down")
    mirror.clock.advance(timedelta(seconds=500))
    assert mirror.health.check("hub") is True
    with pytest.raises(Throttled):
        mirror.health.check("hub")
    # One that dies meanwhile does not keep the others away for ever.
    mirror.clock.advance(timedelta(seconds=61))
    assert mirror.health.check("hub") is True
    mirror.health.answered("hub", trial=True)
    assert mirror.health.check("hub") is False


def test_an_upstream_that_answers_again_is_there_for_all_before_the_first_image_is_here(mirror: Any) -> None:
    mirror.image("one", "1")
    mirror.health.failed("hub", "down")
    mirror.clock.advance(timedelta(seconds=500))
    seen: list[str] = []

    def note(method: str, _what: str) -> None:
        seen.append(f"{method} {mirror.status.circuit}")

    mirror.remote.before = note
    assert mirror.wish("1").outcome == "brought"
    assert "look open" in seen and "blob closed" in seen


def test_an_upstream_that_throttles_is_left_alone_until_it_said(mirror: Any) -> None:
    mirror.image("one", "1")
    until = mirror.clock.now() + timedelta(seconds=90)

    def throttle(_method: str, _what: str) -> None:
        raise Throttled("too many", until=until)

    mirror.remote.before = throttle
    row = mirror.wish("1")
    assert row.outcome == "throttled" and row.until.startswith("2026-01-01T00:01:30")
    mirror.remote.before = lambda _method, _what: None
    # What was under way meanwhile, and ends well, does not end the rest.
    mirror.health.answered("hub", Quota(100, 50, 60))
    mirror.clock.advance(timedelta(seconds=89))
    assert mirror.wish("1").outcome == "throttled"
    with pytest.raises(Throttled):
        mirror.health.guard("hub")
    mirror.clock.advance(timedelta(seconds=2))
    mirror.health.guard("hub")
    assert mirror.wish("1").outcome == "brought"
    assert (mirror.status.throttled, mirror.status.quota_left) == (1, 50)


def test_a_rest_that_is_ended_by_hand_in_another_process_is_over_in_this_one(mirror: Any) -> None:
    mirror.image("one", "1")
    mirror.health.throttled("hub", "too many", mirror.clock.now() + timedelta(hours=1))
    assert mirror.wish("1").outcome == "throttled"
    mirror.upstreams.hurry("hub")
    assert mirror.wish("1").outcome == "brought"
    mirror.health.guard("hub")


def test_an_upstream_with_nothing_left_of_its_quota_is_not_asked(mirror: Any) -> None:
    mirror.image("one", "1")
    mirror.remote.said = Quota(100, 0, 21_600)
    assert mirror.wish("1").outcome == "brought"
    mirror.remote.asked.clear()
    assert mirror.wish("1").outcome == "throttled"
    assert not mirror.remote.asked
    mirror.clock.advance(timedelta(seconds=217))
    mirror.remote.said = Quota(100, 1, 21_600)
    assert mirror.wish("1").outcome == "unchanged"


def test_credentials_that_do_not_hold_are_told_and_ask_for_no_rest(mirror: Any) -> None:
    def denied(_method: str, _what: str) -> None:
        raise RemoteDenied("wrong password")

    mirror.remote.before = denied
    row = mirror.wish("1")
    assert (row.outcome, row.why) == ("refused", "wrong password")
    assert mirror.status.circuit == "closed"


@pytest.mark.parametrize(("kind", "end"), [(COSIGN_PAYLOAD, "sig"), (DSSE_ENVELOPE, "att")])
def test_signatures_of_the_upstream_are_put_beside_those_that_are_here(mirror: Any, kind: str, end: str) -> None:
    digest = mirror.image("one", "1")
    tag, config = f"sha256-{digest.hex}.{end}", b'{"architecture": ""}'

    def signature(*payloads: bytes) -> bytes:
        layers = [{"mediaType": kind, "digest": str(Digest.of(one)), "size": len(one)} for one in payloads]
        part = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": str(Digest.of(config)),
                "size": len(config)}  # fmt: skip
        return json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": part, "layers": layers}).encode()

    def sign_there(*payloads: bytes) -> None:
        for blob in (config, *payloads):
            mirror.remote.put_blob("library/os", blob)
        mirror.remote.put_manifest("library/os", OCI_MANIFEST, signature(*payloads), tag=tag)

    def layers() -> list[str]:
        body = json.loads(mirror.registry.manifest(mirror.tagged(tag)))
        return [layer["digest"] for layer in body["layers"]]

    one, two, own = b'{"n": 1}', b'{"n": 2}', b'{"n": "own"}'
    sign_there(one)
    mirror.wish("1")
    visitor = Visitor("system:attestations", "base")
    mirror.registry.put_blob(REPOSITORY, own, visitor)
    mirror.registry.put_manifest(REPOSITORY, tag, OCI_MANIFEST, signature(one, own), visitor)
    sign_there(one, two)
    for _ in range(2):
        mirror.wish(tag)
        assert layers() == [str(Digest.of(payload)) for payload in (one, own, two)]
        mirror.serving.check_manifest(REPOSITORY, mirror.tagged(tag))
    kind = DSSE_ENVELOPE if kind == COSIGN_PAYLOAD else COSIGN_PAYLOAD
    sign_there(b'{"n": "of another kind"}')
    mirror.wish(tag)
    assert layers() == [str(Digest.of(payload)) for payload in (one, own, two)]


def test_the_upstream_without_a_name_brings_bases_for_builds_under_their_own_path(mirror: Any) -> None:
    unnamed = Upstream(
        name=UNNAMED, url="https://hub.example", prefix="", team="library", platforms=("linux/amd64",), plain=True
    )
    story = mirror.story(unnamed=unnamed)
    index = mirror.index("1", "linux/arm64", "linux/amd64")
    found = story.fetch(Reference("library/os", tag="1"))
    assert found == mirror.tagged("1", "library/os") != index
    assert mirror.registry.config(found)["config"]["Labels"]["a"] == "linux/amd64"
    assert story.fetch(Reference("library/os", digest=index)) == index
    with pytest.raises(ManifestUnknown):
        story.fetch(Reference("library/os", tag="2"))
    mirror.upstreams.change("hub", {"allow": ("tools/*",)}, actor="person:ada")
    with pytest.raises(Denied, match="do not let it in"):
        story.fetch(Reference("hub/library/os", tag="1"))
    shown = MirrorStandings(mirror.database, mirror.clock, unnamed).all()
    assert [(row.upstream, row.images, row.circuit) for row in shown] == [
        ("default", 2, "closed"),
        ("hub", 0, "closed"),
    ]
    # Pulls don't come this way: nobody else asks it.
    assert mirror.awaiting.ask("library/os", "3") == Stale()
