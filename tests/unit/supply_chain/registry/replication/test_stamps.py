"""Regions that move the same thing come to agree, in whatever order they hear of each other."""

import random
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from lading.supply_chain.registry.replication.stamps import (
    Judged,
    Kind,
    Register,
    Stamp,
    judge,
    merged,
    moved,
)

NAMES = ("east", "north", "west")


def move(before: Register | None, value: str, at: int, region: str, kind: Kind = Kind.TAG) -> Register:
    return moved(before, kind, "shop/web:1", value, Stamp(at, region))


def test_the_later_move_stays_whichever_arrives_first() -> None:
    early, late = move(None, "a", 10, "west"), move(None, "b", 11, "east")
    assert judge(early, late) is Judged.CONFLICT_WON
    assert judge(late, early) is Judged.CONFLICT_LOST
    assert merged(early, late).value == merged(late, early).value == "b"


def test_of_two_moves_at_one_time_that_of_the_greater_name_stays() -> None:
    east, west = move(None, "a", 10, "east"), move(None, "b", 10, "west")
    assert merged(east, west).value == merged(west, east).value == "b"


def test_a_move_that_knew_of_the_other_is_no_conflict() -> None:
    first = move(None, "a", 10, "east")
    there = merged(None, first)
    second = move(there, "b", 20, "west")
    assert judge(first, second) is Judged.NEWER
    assert judge(second, first) is Judged.OLDER or judge(second, first) is Judged.KNOWN


def test_a_move_is_stamped_after_all_that_is_known_however_the_clock_stands() -> None:
    first = move(None, "a", 1_000, "east")
    second = move(merged(None, first), "b", 10, "west")
    assert second.stamp == Stamp(1_001, "west")
    assert judge(first, second) is Judged.NEWER


def test_what_was_resolved_is_not_reported_again() -> None:
    early, late = move(None, "a", 10, "west"), move(None, "b", 11, "east")
    assert judge(merged(late, early), early) is Judged.KNOWN
    assert judge(merged(early, late), early) is Judged.KNOWN


def test_the_same_value_set_twice_is_no_conflict() -> None:
    assert judge(move(None, "a", 10, "west"), move(None, "a", 11, "east")) is Judged.NEWER


def state(before: Register | None, value: str, at: int, region: str) -> Register:
    return move(before, value, at, region, Kind.STATE)


def test_a_revocation_outranks_a_later_approval_that_did_not_know_of_it() -> None:
    start = state(None, "approved", 1, "east")
    revoked = state(start, "revoked", 10, "east")
    again = state(merged(None, start), "approved", 20, "west")
    for order in permutations((start, revoked, again)):
        here: Register | None = None
        for told in order:
            here = merged(here, told)
        assert here is not None and here.value == "revoked"


def test_a_revocation_is_lifted_by_those_who_knew_of_it() -> None:
    revoked = state(state(None, "approved", 1, "east"), "revoked", 10, "east")
    lifted = state(merged(None, revoked), "quarantined", 20, "west")
    approved = state(merged(None, lifted), "approved", 30, "east")
    assert judge(revoked, lifted) is Judged.NEWER
    assert merged(merged(None, approved), revoked).value == "approved"
    assert judge(approved, revoked) is Judged.KNOWN


@settings(max_examples=200)
@given(st.integers(0, 2**32), st.sampled_from([Kind.TAG, Kind.STATE]))
def test_regions_agree_after_any_history_and_any_delivery(seed: int, kind: Kind) -> None:
    """Moves at random with clocks that disagree, messages lost, late, doubled and out of order; then everybody tells
    everybody: all agree, and telling again changes nothing."""
    chance = random.Random(seed)
    values = ["approved", "quarantined", "revoked"] if kind is Kind.STATE else ["a", "b", "c", ""]
    here: dict[str, Register | None] = dict.fromkeys(NAMES)
    sent: list[Register] = []
    for _ in range(chance.randrange(1, 12)):
        region = chance.choice(NAMES)
        if sent and chance.random() < 0.5:
            here[region] = merged(here[region], chance.choice(sent))
            continue
        made = move(here[region], chance.choice(values), chance.randrange(50), region, kind)
        here[region] = made
        sent.append(made)
    for _ in range(2):
        for told in chance.sample([item for item in here.values() if item], k=sum(map(bool, here.values()))):
            for region in NAMES:
                here[region] = merged(here[region], told)
    told = [item for item in here.values() if item]
    for region in NAMES:
        for item in told:
            here[region] = merged(here[region], item)
    assert len({(item.value, item.stamp, item.epoch) for item in here.values() if item}) <= 1
    for region in NAMES:
        assert all(judge(here[region], item) is Judged.KNOWN for item in told)
