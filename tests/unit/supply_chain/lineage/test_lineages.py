"""What images are built on: found by their layers, whatever their labels say and in whatever order they came."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.facts import Ledger, follow
from lading.facts.kinds.supply_chain import TagMoved
from lading.kernel.clock import ManualClock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.lifecycle.relate import Relating
from lading.state import Database, metadata
from lading.supply_chain.lineage.chain import chain_ids
from lading.supply_chain.lineage.follower import TagFollower
from lading.supply_chain.lineage.lineages import DIGEST, LABEL, NAME, Lineages


def layer(name: str) -> str:
    return str(Digest.of(name.encode()))


class Shelf:
    """A registry: images by name, and the ledger of its tags."""

    def __init__(self, database: Database, ledger: Ledger, clock: ManualClock) -> None:
        self.database, self.ledger, self.clock = database, ledger, clock
        self.configurations: dict[str, dict[str, Any]] = {}
        self.said: dict[str, dict[str, str]] = {}
        self.indexes: dict[str, list[Digest]] = {}
        self.lineages = Lineages(database, self, clock)

    def config(self, digest: Digest) -> dict[str, Any]:
        return self.configurations[str(digest)]

    def annotations(self, digest: Digest) -> dict[str, str]:
        return self.said.get(str(digest), {})

    def indexes_with(self, digest: Digest) -> list[Digest]:
        return self.indexes.get(str(digest), [])

    def images_in(self, tx: object, after: str, limit: int) -> list[str]:
        return sorted(one for one in self.configurations if one > after)[:limit]

    def push(
        self, name: str, *layers: str, labels: dict[str, str] | None = None, created: str = "", learn: bool = True
    ) -> Digest:
        image = Digest.of(name.encode())
        self.configurations[str(image)] = {
            "created": created,
            "config": {"Labels": labels or {}},
            "rootfs": {"type": "layers", "diff_ids": [layer(one) for one in layers]},
        }
        if learn:
            self.lineages.learn(image)
        return image

    def tag(self, repository: str, tag: str, digest: Digest | None) -> None:
        with self.database.write() as tx:
            fact = TagMoved(repository=repository, tag=tag, digest=str(digest or ""), previous="")
            self.ledger.append(tx, [fact], actor="system:test")
        while follow(self.database, self.ledger, TagFollower()):
            pass


@pytest.fixture
def shelf(each_database: Database, ledger: Ledger, clock: ManualClock) -> Shelf:
    return Shelf(each_database, ledger, clock)


def test_chain_ids_are_those_of_the_specification() -> None:
    first, second = layer("a"), layer("b")

    assert chain_ids([]) == []
    assert chain_ids([first])[0].hex() == first[7:]
    assert chain_ids([first, second])[1].hex() == hashlib.sha256(f"{first} {second}".encode()).hexdigest()
    for wrong in ("", "a", "sha512:" + "0" * 128):
        with pytest.raises(InvalidInput):
            chain_ids([wrong])


def test_the_base_is_the_longest_image_that_another_begins_with(shelf: Shelf) -> None:
    debian = shelf.push("debian", "d")
    python = shelf.push("python", "d", "p")
    app = shelf.push("app", "d", "p", "a")
    shelf.push("other", "x", "p", "a")

    found = shelf.lineages.of(app)
    assert found is not None
    assert (found.digest, found.layers, found.word) == (str(python), 2, "")
    assert [one.digest for one in shelf.lineages.line(app)] == [str(python), str(debian)]
    assert shelf.lineages.of(debian) is None
    assert shelf.lineages.count_on(debian) == 2
    assert shelf.lineages.count_on(app) == 0
    assert shelf.lineages.count_on(Digest.of(b"nobody")) == 0


def test_the_order_in_which_images_come_does_not_matter(shelf: Shelf) -> None:
    app = shelf.push("app", "d", "p", "a")
    assert shelf.lineages.of(app) is None
    debian = shelf.push("debian", "d")
    assert [one.digest for one in shelf.lineages.line(app)] == [str(debian)]
    python = shelf.push("python", "d", "p")

    assert [one.digest for one in shelf.lineages.line(app)] == [str(python), str(debian)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), min_size=1, max_size=8, unique_by=tuple))
def test_what_is_found_is_what_comparing_all_images_finds(lists: list[list[str]]) -> None:
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    shelf = Shelf(database, Ledger(ManualClock()), ManualClock())
    names = {"".join(one): shelf.push("".join(one), *one) for one in lists}
    for name, image in names.items():
        longest = max((one for one in names if name.startswith(one) and one != name), key=len, default=None)
        found = shelf.lineages.of(image)

        assert (found.digest if found else None) == (str(names[longest]) if longest else None)
        assert shelf.lineages.count_on(image) == sum(one.startswith(name) and one != name for one in names)
    database.close()


def test_the_word_of_an_image_is_held_against_its_layers(shelf: Shelf) -> None:
    debian, python = shelf.push("debian", "d"), shelf.push("python", "d", "p")
    other = shelf.push("other", "o")

    def word(**labels: str) -> tuple[str, str]:
        name = repr(labels)
        found = shelf.lineages.of(shelf.push(name, "d", "p", name, labels=labels))
        assert found is not None
        return found.word, found.digest

    assert word() == ("", str(python))
    assert word(**{LABEL: f"base/python:12@{python}"}) == ("verified", str(python))
    assert word(**{NAME: "base/python:12", DIGEST: str(python)}) == ("verified", str(python))
    # Its direct base is python, and it is true that it is built on debian.
    assert word(**{LABEL: f"base/debian:12@{debian}"}) == ("verified", str(python))
    assert word(**{LABEL: f"base/other:1@{other}"}) == ("contradicted", str(python))
    assert word(**{LABEL: f"far/away:1@{Digest.of(b'far')}"}) == ("unverified", str(python))
    assert word(**{NAME: "far/away:1"}) == ("unverified", str(python))
    assert word(**{DIGEST: "nonsense"}) == ("", str(python))


def test_an_index_that_an_image_names_is_its_word_too(shelf: Shelf) -> None:
    base = shelf.push("base", "d")
    index = Digest.of(b"index")
    shelf.indexes[str(base)] = [index]
    app = Digest.of(b"app")
    shelf.said[str(app)] = {NAME: "library/debian:12", DIGEST: str(index)}
    shelf.push("app", "d", "a")

    found = shelf.lineages.of(app)
    assert found is not None
    assert (found.word, found.digest, found.name) == ("verified", str(base), "library/debian:12")


def test_a_base_that_nobody_has_is_told_with_its_name_alone(shelf: Shelf) -> None:
    app = shelf.push("app", "a", labels={LABEL: f"far/away:1@{Digest.of(b'far')}"})

    found = shelf.lineages.of(app)
    assert found is not None
    assert (found.digest, found.name, found.word) == ("", "far/away:1", "unverified")
    assert len(shelf.lineages.line(app)) == 1


def test_a_base_is_outdated_when_its_tag_went_on(shelf: Shelf) -> None:
    old = shelf.push("old", "d1")
    shelf.tag("base/debian", "12", old)
    app = shelf.push("app", "d1", "a")
    assert [(one.name, one.is_outdated) for one in shelf.lineages.line(app)] == [("base/debian:12", False)]

    shelf.clock.advance(timedelta(days=1))
    new = shelf.push("new", "d2")
    shelf.tag("base/debian", "12", new)
    (found,) = shelf.lineages.line(app)
    assert (found.name, found.moved_to, found.moved_at) == ("base/debian:12", str(new), timestamp(shelf.clock.now()))

    # Somebody keeps the old one under a tag of its own, on purpose; who named the other tag is told all the same.
    shelf.tag("base/debian", "12.1", old)
    assert not shelf.lineages.line(app)[0].is_outdated
    named = shelf.push("named", "d1", "n", labels={LABEL: f"base/debian:12@{old}"})
    assert shelf.lineages.line(named)[0].moved_to == str(new)

    shelf.tag("base/debian", "12.1", None)
    shelf.tag("base/debian", "12", None)
    assert not shelf.lineages.line(app)[0].is_outdated
    shelf.tag("base/debian", "12", old)
    assert not shelf.lineages.line(named)[0].is_outdated


def test_age_is_told_where_the_base_was_truly_dated(shelf: Shelf) -> None:
    shelf.push("true", "t", created=timestamp(shelf.clock.now() - timedelta(days=200)))
    shelf.push("epoch", "e", created="1970-01-01T00:00:00Z")
    shelf.push("future", "f", created="2999-01-01T00:00:00Z")
    shelf.push("wrong", "w", created="yesterday")

    ages = {
        name: shelf.lineages.of(shelf.push(f"on-{name}", name[0], "x")) for name in ("true", "epoch", "future", "wrong")
    }
    assert {name: one.age_days for name, one in ages.items() if one} == {
        "true": 200,
        "epoch": -1,
        "future": -1,
        "wrong": -1,
    }


@pytest.mark.parametrize(
    "configuration",
    [{}, {"rootfs": 3}, {"rootfs": {"diff_ids": "x"}}, {"rootfs": {"diff_ids": [3]}}, {"rootfs": {"diff_ids": ["x"]}},
     {"rootfs": {"diff_ids": ["sha256:" + "0" * 64] * 1_001}}, {"rootfs": {"diff_ids": []}, "config": []}],
)  # fmt: skip
def test_what_is_no_image_is_left_out(shelf: Shelf, configuration: dict[str, Any]) -> None:
    image = Digest.of(b"odd")
    shelf.configurations[str(image)] = configuration
    shelf.lineages.learn(image)

    assert shelf.lineages.of(image) is None


def test_images_of_before_are_learned_after_a_start_and_forgotten_when_they_are_gone(shelf: Shelf) -> None:
    base = shelf.push("base", "d", learn=False)
    app = shelf.push("app", "d", "a", learn=False)
    relating = Relating(shelf.database, shelf, shelf.lineages)
    assert [relating.step() for _ in range(3)] == [True, False, False]
    assert shelf.lineages.count_on(base) == 1
    shelf.lineages.learn(app)

    with shelf.database.write() as tx:
        assert shelf.lineages.images_in(tx, "", 10) == sorted(map(str, (base, app)))
        shelf.lineages.forget_in(tx, [str(base)])
    assert shelf.lineages.of(app) is None
    assert shelf.lineages.count_on(base) == 0


def test_indexes_are_used_with_many_images(database: Database, ledger: Ledger, clock: ManualClock) -> None:
    shelf = Shelf(database, ledger, clock)
    base = shelf.push("base", "d")
    for number in range(300):
        shelf.push(f"app-{number}", "d", f"a{number}")
    assert shelf.lineages.count_on(base) == 300
    with database.read() as tx:
        plan = tx.execute(
            sa.text(
                "EXPLAIN QUERY PLAN SELECT i.digest FROM lineage_images i JOIN lineage_beginnings b ON b.chain = i.chain"
                " WHERE b.image = 7 ORDER BY i.layers DESC, i.id"
            )
        )
        steps = [row[3] for row in plan]
    assert not any(step.startswith("SCAN") for step in steps), steps
