"""Indexes are judged by every image that they list; approvals end, or are renewed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from lading.facts.kinds.supply_chain import ImageInventoried
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.lifecycle.expire import Expiry
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.manifest import OCI_INDEX
from lading.supply_chain.registry.states import ImageState, State
from unit.lifecycle.conftest import House

ROBOT = Visitor("robot:shop/ci", "shop")


def listed(house: House, *members: Digest, platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64")) -> Digest:
    """An index of images of shop/web."""
    entries: list[dict[str, Any]] = []
    for member, platform in zip(members, platforms, strict=True):
        stored = house.registry.resolve("shop/web", str(member))
        system, _, architecture = platform.partition("/")
        entry = {"mediaType": stored.media_type, "digest": str(member), "size": stored.size}
        entries.append(entry | {"platform": {"os": system, "architecture": architecture}})
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    return house.registry.put_manifest("shop/web", "many", OCI_INDEX, body, ROBOT).digest


def two_images(house: House) -> tuple[Digest, Digest]:
    """One that passes and one that was built of something with a flaw."""
    good = Digest.parse(house.ship("gunicorn==22.0.0").images["shop/web"])
    bad = Digest.parse(house.ship("gunicorn==21.2.0").images["shop/web"])
    house.learn("PYSEC-1", "gunicorn", "22.0.0")
    return good, bad


def standing(house: House, image: Digest) -> ImageState:
    found = house.states.state(image)
    assert found is not None
    return found


def move(house: House, image: Digest, to: State, **more: Any) -> None:
    with house.database.write() as tx:
        house.states.move(tx, image, to, who="person:ada", why="a test", **more)


def test_every_image_of_an_index_is_judged_and_the_worst_one_decides(house: House) -> None:
    good, bad = two_images(house)
    move(house, bad, State.QUARANTINED)
    index = listed(house, good, bad)
    verdict = house.admission.admit(index, "shop/web", house.heard)
    assert verdict.state is State.QUARANTINED
    held = standing(house, index)
    for words in ("linux/arm64", str(bad), "quarantined"):
        assert words in held.why
    assert held.decision == standing(house, bad).decision != ""
    assert {str(good), str(bad), str(index)} <= {fact.digest for fact in house.told(ImageInventoried)}


def test_an_index_of_approved_images_is_approved_and_follows_their_moves(house: House) -> None:
    good, bad = two_images(house)
    move(house, bad, State.APPROVED)
    index = listed(house, good, bad)
    assert house.admission.admit(index, "shop/web", house.heard).approved
    move(house, bad, State.REVOKED)
    house.admission.settle_indexes(bad)
    assert "revoked" in standing(house, index).why
    move(house, bad, State.QUARANTINED)
    move(house, bad, State.APPROVED)
    house.admission.settle_indexes(bad)
    assert standing(house, index).state is State.APPROVED


def test_revoking_a_member_names_the_containers_that_run_its_index(house: House) -> None:
    image = Digest.parse(house.ship("gunicorn==22.0.0").images["shop/web"])
    index = listed(house, image, platforms=("linux/amd64",))
    assert [row.workload for row in house.revocation.running(index)] == ["shop/web"]
    assert [row.workload for row in house.revocation.running(image)] == ["shop/web"]


def expiry(house: House, clock: ManualClock) -> Expiry:
    return Expiry(house.database, house.states, house.admission, clock)


def test_an_approval_by_hand_ends_on_its_day_and_says_who_gave_it(house: House, clock: ManualClock) -> None:
    good, _bad = two_images(house)
    until = clock.now() + timedelta(days=3)
    move(house, good, State.APPROVED, until=until)
    assert expiry(house, clock).run() == 0
    clock.advance(timedelta(days=2, hours=12))
    assert expiry(house, clock).run() == 0
    clock.advance(timedelta(days=1))
    assert expiry(house, clock).run() == 1
    ended = standing(house, good)
    assert (ended.state, ended.who) == (State.QUARANTINED, "system:expiry")
    assert "the approval by person:ada expired" in ended.why
    assert expiry(house, clock).run() == 0


def test_what_rules_approved_is_judged_again_before_its_approval_ends(house: House, clock: ManualClock) -> None:
    good, bad = two_images(house)
    before = standing(house, good).until
    clock.advance(timedelta(days=89, hours=6))
    assert expiry(house, clock).run() == 0
    assert standing(house, good).state is State.APPROVED
    assert standing(house, good).until > before
    assert standing(house, bad).state is State.QUARANTINED
    assert "refused by" in standing(house, bad).why
