"""Regions that copy their registries to each other: everything arrives, cuts heal, conflicts end the same everywhere."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from lading.facts.kinds.replication import (
    ChangeRefused,
    ReplicationCaughtUp,
    ReplicationFailed,
    TagConflictResolved,
)
from lading.facts.kinds.supply_chain import ImageMoved, ImagePushed, TagMoved
from lading.kernel.digest import Digest
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.errors import Denied
from lading.supply_chain.registry.replication.planning import Lane
from lading.supply_chain.registry.states import State
from unit.supply_chain.registry.conftest import ROBOT
from unit.supply_chain.registry.replication.conftest import Region, connect, everything

MakeRegion = Callable[[str], Region]


@pytest.fixture
def pair(make: MakeRegion) -> tuple[Region, Region]:
    east, west = make("east"), make("west")
    connect(east, west)
    return east, west


def settle(*regions: Region, rounds: int = 3) -> None:
    for _ in range(rounds):
        for region in regions:
            region.replicate(rounds=3)


def test_an_image_arrives_with_tag_referrers_state_and_who_pushed_it(pair: tuple[Region, Region]) -> None:
    east, west = pair
    image = east.bench.image(tag="1")
    east.bench.artifact(b"{}", subject=east.bench.subject(image))
    east.bench.move(image, State.APPROVED, why="every rule passed")
    settle(east, west)
    assert everything(west) == everything(east)
    assert west.bench.registry.resolve("shop/web", "1").digest == image
    state = west.bench.states.state(image)
    assert state is not None and (state.state, state.who) == (State.APPROVED, "region:east/person:ada")
    pushed = west.facts(ImagePushed)[0]
    assert pushed.actor == f"region:east/{ROBOT.principal}"
    assert (east.waiting("west"), west.waiting("east")) == (0, 0)


def test_what_was_there_before_the_target_was_added_arrives(make: MakeRegion) -> None:
    east, west = make("east"), make("west")
    images = [east.bench.image(str(number), tag=str(number)) for number in range(5)]
    west.accept(east)
    east.send_to(west)
    east.replicate()
    assert [west.bench.registry.resolve("shop/web", str(n)).digest for n in range(5)] == images
    assert [entry.fact.target for entry in east.facts(ReplicationCaughtUp)] == ["west"]


def test_nothing_goes_round_for_ever(make: MakeRegion) -> None:
    ring = [make(name) for name in ("east", "north", "west")]
    for number, region in enumerate(ring):
        after = ring[(number + 1) % 3]
        after.accept(region)
        region.send_to(after)
    image = ring[0].bench.image(tag="1")
    ring[0].bench.move(image, State.APPROVED)
    settle(*ring, rounds=4)
    counted = [len(region.facts()) for region in ring]
    settle(*ring, rounds=4)
    assert [len(region.facts()) for region in ring] == counted
    assert everything(ring[0]) == everything(ring[1]) == everything(ring[2])


def test_an_index_and_its_images_arrive(pair: tuple[Region, Region]) -> None:
    east, west = pair
    members = [east.bench.image(text) for text in ("a", "b")]
    inner = east.bench.index(*members, platforms=("linux/amd64", "linux/arm64"))
    east.bench.push(
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
         "manifests": [{"mediaType": "application/vnd.oci.image.index.v1+json", "digest": str(inner),
                        "size": len(east.bench.registry.manifest(inner))}]},
        tag="all",
    )  # fmt: skip
    settle(east, west)
    assert everything(west) == everything(east)
    assert len(everything(west)["manifests"]) == 4


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        ("application/vnd.dev.cosign.simplesigning.v1+json", "sig"),
        ("application/vnd.dsse.envelope.v1+json", "att"),
    ],
)
def test_a_signature_is_a_signature_in_the_other_region_too(pair: tuple[Region, Region], kind: str, end: str) -> None:
    east, west = pair
    image = east.bench.image(tag="1")
    payload = b'{"critical": {}}'
    config = b'{"architecture": "", "os": ""}'
    for content in (payload, config):
        east.bench.registry.put_blob("shop/web", content, ROBOT)
    body = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": str(Digest.of(config)),
                   "size": len(config)},
        "layers": [{"mediaType": kind, "digest": str(Digest.of(payload)), "size": len(payload)}],
    }  # fmt: skip
    tag = str(image).replace(":", "-") + f".{end}"
    replaced, signature = east.bench.push(body, tag=tag), east.bench.push(body | {"annotations": {"n": "2"}}, tag=tag)
    east.bench.move(image, State.APPROVED)
    settle(east, west)
    assert everything(west) == everything(east)
    for digest in (replaced, signature):
        assert west.bench.states.state(digest) is None
        west.bench.serving.check_manifest("shop/web", digest)


def test_deletions_travel(pair: tuple[Region, Region]) -> None:
    east, west = pair
    first, second = east.bench.image("a", tag="1"), east.bench.image("b", tag="2")
    settle(east, west)
    west.bench.registry.delete_tag("shop/web", "1", ROBOT)
    east.bench.clock.sleep(1)
    east.bench.registry.delete_manifest("shop/web", second, ROBOT)
    settle(east, west)
    assert everything(west) == everything(east)
    assert west.bench.registry.tags("shop/web") == []
    assert ("shop/web", str(first)) in everything(east)["manifests"]
    assert ("shop/web", str(second)) not in everything(west)["manifests"]


def test_what_was_deleted_and_pushed_again_is_there(pair: tuple[Region, Region]) -> None:
    east, west = pair
    image = east.bench.image("a", tag="1")
    settle(east, west)
    east.bench.registry.delete_manifest("shop/web", image, ROBOT)
    settle(east, west)
    assert ("shop/web", str(image)) not in everything(west)["manifests"]
    west.bench.image("a", tag="2")
    settle(east, west)
    assert everything(west) == everything(east)
    assert east.bench.registry.resolve("shop/web", "2").digest == image


def test_a_region_may_keep_what_others_delete(make: MakeRegion) -> None:
    east, west = make("east"), make("west")
    west.accept(east, deletions=False)
    east.send_to(west)
    image = east.bench.image(tag="1")
    east.replicate()
    east.bench.registry.delete_manifest("shop/web", image, ROBOT)
    east.replicate()
    assert west.bench.registry.resolve("shop/web", "1").digest == image
    assert east.waiting("west") == 0


def test_a_tag_moved_on_both_sides_of_a_cut_ends_at_the_later_move(pair: tuple[Region, Region]) -> None:
    east, west = pair
    east.bench.image("start", tag="1")
    settle(east, west)
    east.cut.add("west")
    lost = east.bench.image("east", tag="1")
    east.bench.clock.sleep(1)
    kept = west.bench.image("west", tag="1")
    settle(east, west)
    assert east.bench.registry.resolve("shop/web", "1").digest == lost
    assert [entry.fact.target for entry in east.facts(ReplicationFailed)] == ["west"]
    east.cut.clear()
    east.bench.clock.sleep(120)
    settle(east, west)
    assert everything(west) == everything(east)
    assert east.bench.registry.resolve("shop/web", "1").digest == kept
    assert ("shop/web", str(lost)) in everything(west)["manifests"]
    for region in pair:
        facts = [entry.fact for entry in region.facts(TagConflictResolved)]
        assert [(f.kept, f.kept_region, f.lost, f.lost_region) for f in facts] == [
            (str(kept), "west", str(lost), "east")
        ]
        assert [row["lost"] for row in region.standings.conflicts()] == [str(lost)]
    # What moves on from there is no conflict.
    east.bench.image("next", tag="1")
    settle(east, west)
    assert everything(west) == everything(east)
    assert len(east.facts(TagConflictResolved)) == 1
    assert [item.standing for item in east.standings.targets()] == ["following"]


def test_a_revocation_holds_against_a_later_approval_that_did_not_know_of_it(pair: tuple[Region, Region]) -> None:
    east, west = pair
    image = east.bench.image(tag="1")
    east.bench.move(image, State.APPROVED)
    settle(east, west)
    east.cut.add("west")
    east.bench.move(image, State.REVOKED, why="stolen key", replaced_by="shop/web:2")
    east.bench.clock.sleep(5)
    west.bench.move(image, State.APPROVED, why="looked at it again")
    settle(east, west)
    east.cut.clear()
    east.bench.clock.sleep(120)
    settle(east, west)
    for region in pair:
        state = region.bench.states.state(image)
        assert state is not None
        assert (state.state, state.why, state.replaced_by) == (State.REVOKED, "stolen key", "shop/web:2")
    # Those who know of it may lift it.
    west.bench.move(image, State.QUARANTINED, why="a mistake")
    west.bench.move(image, State.APPROVED, why="judged again")
    settle(east, west)
    assert everything(west) == everything(east)
    assert west.bench.states.state(image).state is State.APPROVED  # type: ignore[union-attr]


def test_a_revocation_overtakes_the_content(pair: tuple[Region, Region]) -> None:
    east, west = pair
    image = east.bench.image(tag="1")
    east.bench.move(image, State.APPROVED)
    east.bench.move(image, State.REVOKED, why="stolen key")
    east.replicate(Lane.URGENT, rounds=1)
    state = west.bench.states.state(image)
    assert state is not None and state.state is State.REVOKED
    assert west.bench.registry.repositories() == []
    settle(east, west)
    assert everything(west) == everything(east)
    assert west.bench.states.state(image).state is State.REVOKED  # type: ignore[union-attr]


def test_a_region_that_judges_for_itself_takes_revocations_only(make: MakeRegion) -> None:
    east, west = make("east"), make("west")
    west.accept(east, approvals=False)
    east.send_to(west)
    image = east.bench.image(tag="1")
    east.bench.move(image, State.APPROVED)
    east.replicate()
    assert west.bench.states.state(image).state is State.QUARANTINED  # type: ignore[union-attr]
    west.bench.move(image, State.APPROVED)
    east.bench.move(image, State.REVOKED)
    east.replicate()
    assert west.bench.states.state(image).state is State.REVOKED  # type: ignore[union-attr]
    east.bench.move(image, State.QUARANTINED)
    east.replicate()
    assert west.bench.states.state(image).state is State.REVOKED  # type: ignore[union-attr]


def test_patterns_say_what_goes_and_what_is_taken(make: MakeRegion) -> None:
    east, west = make("east"), make("west")
    west.accept(east, patterns=("shop/*",))
    east.send_to(west, patterns=("shop/*", "mail/*"))
    east.bench.image("a", tag="1")
    east.bench.image("b", repository="mail/in", tag="1", visitor=Visitor("robot:mail/ci", "mail"))
    east.bench.image("c", repository="lab/x", tag="1", visitor=Visitor("robot:lab/ci", "lab"))
    east.replicate()
    assert west.bench.registry.repositories() == ["shop/web"]
    assert {entry.fact.name.partition("@")[0] for entry in west.facts(ChangeRefused)} >= {"mail/in"}
    (standing,) = east.standings.targets()
    assert standing.refused > 0 and "no say in mail/in" in " ".join(standing.problems)


def test_only_approved_images_go_where_only_those_are_wanted(make: MakeRegion) -> None:
    east, west = make("east"), make("west")
    west.accept(east)
    east.send_to(west, states="approved")
    image = east.bench.image(tag="1")
    east.bench.image("other", tag="2")
    east.replicate()
    assert west.bench.registry.repositories() == []
    east.bench.move(image, State.APPROVED)
    east.replicate()
    assert west.bench.registry.tags("shop/web") == ["1"]
    assert east.waiting("west") == 0


def test_a_blob_that_the_region_has_elsewhere_is_mounted(pair: tuple[Region, Region]) -> None:
    east, west = pair
    east.bench.image("same", tag="1")
    settle(east, west)
    east.wires["west"].seen.clear()
    east.bench.image("same", repository="shop/copy", tag="1")
    settle(east, west)
    assert everything(west) == everything(east)
    assert [method for method, _, _ in east.wires["west"].seen if method != "GET"] == []


def test_repositories_of_other_teams_are_not_taken_over(pair: tuple[Region, Region]) -> None:
    east, west = pair
    west.bench.image("theirs", tag="1", visitor=Visitor("robot:lab/ci", "lab"))
    east.bench.image("ours", tag="1")
    east.replicate()
    west.replicate()
    assert west.bench.registry.team_of("shop/web") == "lab"
    assert any("belongs to team lab here" in entry.fact.why for entry in west.facts(ChangeRefused))


def test_a_region_whose_clock_is_ahead_is_not_believed(make: MakeRegion) -> None:
    east, west = make("east"), make("west")
    west.accept(east)
    east.send_to(west)
    now = east.bench.clock.now()
    east.bench.clock.set(now + timedelta(hours=1))
    image = east.bench.image(tag="1")
    east.plan()
    east.bench.clock.set(now)
    east.replicate()
    assert west.bench.states.state(image) is None
    assert any("in the future" in entry.fact.why for entry in west.facts(ChangeRefused))


def test_a_target_that_cannot_be_reached_is_failing_until_it_caught_up(pair: tuple[Region, Region]) -> None:
    east, _west = pair
    settle(*pair)
    east.cut.add("west")
    east.bench.image(tag="1")
    east.replicate()
    standing = east.standings.targets()[0]
    assert (standing.standing, standing.failures > 0, standing.waiting > 0) == ("failing", True, True)
    assert standing.lag > 0
    east.cut.clear()
    east.bench.clock.sleep(120)
    settle(*pair)
    standing = east.standings.targets()[0]
    assert (standing.standing, standing.failures, standing.waiting, standing.lag) == ("following", 0, 0, 0.0)
    assert standing.rpo >= 120
    assert len(east.facts(ReplicationFailed)) == 1
    assert "secret" not in repr(east.targets.all())
    assert 'lading_replication_lag_seconds{target="west"} 0.0' in east.standings.metrics()


@pytest.mark.parametrize("seed", range(8))
def test_three_regions_agree_after_anything(make: MakeRegion, seed: int) -> None:
    """Pushes, moves of tags and states, deletions, cuts and heals at random in three regions; then all is equal."""
    chance = random.Random(seed)
    regions = [make(name) for name in ("east", "north", "west")]
    connect(*regions)
    for _ in range(60):
        region = chance.choice(regions)
        bench = region.bench
        known = [digest for repository, digest in everything(region)["manifests"] if repository == "shop/web"]
        step = chance.randrange(8)
        if step <= 2 or not known:
            bench.image(str(chance.randrange(6)), tag=str(chance.randrange(3)))
        elif step == 3:
            region.replicate(rounds=1)
        elif step == 4:
            region.cut ^= {chance.choice([other.name for other in regions if other is not region])}
        elif step == 5:
            tags = bench.registry.tags("shop/web")
            if tags:
                bench.registry.delete_tag("shop/web", chance.choice(tags), ROBOT)
        elif step == 6:
            # What is revoked is kept as evidence.
            with suppress(Denied):
                bench.registry.delete_manifest("shop/web", Digest.parse(chance.choice(known)), ROBOT)
        else:
            digest = Digest.parse(chance.choice(known))
            state = bench.states.state(digest)
            legal = {State.QUARANTINED: [State.APPROVED, State.REVOKED], State.APPROVED: [State.REVOKED],
                     State.REVOKED: [State.QUARANTINED]}  # fmt: skip
            bench.move(digest, chance.choice(legal[state.state]) if state else State.QUARANTINED)
        bench.clock.sleep(chance.choice((0.001, 1)))
    for region in regions:
        region.cut.clear()
    regions[0].bench.clock.sleep(600)
    settle(*regions, rounds=6)
    regions[0].bench.clock.sleep(1200)
    settle(*regions, rounds=3)
    first, second, third = map(everything, regions)
    assert first == second == third
    assert [item.waiting for region in regions for item in region.standings.targets()] == [0] * 6
    counted = [len(region.facts(TagMoved)) + len(region.facts(ImageMoved)) for region in regions]
    settle(*regions)
    assert [len(region.facts(TagMoved)) + len(region.facts(ImageMoved)) for region in regions] == counted
