"""Pages of images, repositories and tags: complete, in order, and for each only what it may see."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lading.kernel.errors import InvalidInput
from lading.supply_chain.registry.access import EVERYTHING, Sight, Visitor
from lading.supply_chain.registry.listing import Listings
from lading.supply_chain.registry.states import State


def listings(bench: Any) -> Listings:
    return Listings(bench.database, bench.clock)


def filled(bench: Any, count: int = 7) -> list[str]:
    made = []
    for number in range(count):
        bench.clock.advance(timedelta(seconds=number % 2))
        made.append(str(bench.image(f"text {number}", repository=f"shop/{number % 3}", tag=f"v{number}")))
    return made


def test_pages_follow_one_another_without_gap_or_repetition(each_bench: Any) -> None:
    filled(each_bench)
    whole = listings(each_bench).images()
    assert [row.pushed for row in whole] == sorted((row.pushed for row in whole), reverse=True)
    paged, after = [], ""
    while page := listings(each_bench).images(after=after, limit=2):
        paged += page
        after = page[-1].key
    assert paged == whole
    assert len({row.digest for row in whole}) == 7
    assert all(len(row.tags) == 1 for row in whole)


def test_images_are_found_by_state_name_tag_and_digest(each_bench: Any) -> None:
    made = filled(each_bench)
    each_bench.move(each_bench.registry.resolve("shop/1", "v1").digest, State.APPROVED)
    found = listings(each_bench).images
    assert [row.digest for row in found(state="approved")] == [made[1]]
    assert len(found(state="quarantined")) == 6
    assert {row.repository for row in found(text="op/2")} == {"shop/2"}
    assert [row.digest for row in found(text="shop/0:v3")] == [made[3]]
    for text in (made[4], made[4][:30], made[4][7:25]):
        assert [row.digest for row in found(text=text)] == [made[4]]
    assert found(text="no_such%") == []
    assert {row.repository for row in found(repository="shop/1")} == {"shop/1"}
    for wrong in ({"state": "lost"}, {"after": "x"}):
        with pytest.raises(InvalidInput):
            found(**wrong)


def test_nobody_is_shown_what_others_own(each_bench: Any) -> None:
    filled(each_bench)
    each_bench.image("mail", repository="mail/in", visitor=Visitor("robot:mail/ci", "mail"))
    found = listings(each_bench)
    assert {row.team for row in found.images(teams={"mail"})} == {"mail"}
    narrow = found.images(may=lambda _team, repository: repository == "shop/1", limit=2)
    assert [row.repository for row in narrow] == ["shop/1", "shop/1"]
    assert [row.repository for row in found.repositories(Sight(teams=frozenset({"mail"})))] == ["mail/in"]


def test_repositories_and_tags_say_what_they_hold(each_bench: Any) -> None:
    filled(each_bench)
    found = listings(each_bench)
    first, *rest = found.repositories(EVERYTHING, limit=2)
    assert (first.repository, first.images, first.tags, first.pulls) == ("shop/0", 3, 3, 0)
    assert [row.repository for row in found.repositories(EVERYTHING, after=rest[0].repository)] == ["shop/2"]
    assert [row.repository for row in found.repositories(EVERYTHING, text="1")] == ["shop/1"]
    tags = found.tags("shop/0")
    assert [(row.tag, row.state) for row in tags] == [
        ("v0", "quarantined"),
        ("v3", "quarantined"),
        ("v6", "quarantined"),
    ]
    assert [row.tag for row in found.tags("shop/0", after="v0", limit=1)] == ["v3"]
    layer = each_bench.registry.layers(each_bench.registry.resolve("shop/0", "v3").digest)[0]
    assert [row.repository for row in found.users_of(layer.digest, lambda _team, _name: True)] == ["shop/0"]
