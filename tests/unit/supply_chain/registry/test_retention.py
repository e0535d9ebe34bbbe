"""Retention keeps what a rule, a container, a hold or an index needs, says why, and lets the rest go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.facts.kinds.collecting import RetentionApplied
from lading.kernel.clock import timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput, NotFound
from lading.supply_chain.registry.holding import Holds
from lading.supply_chain.registry.retention import Retention, Rule
from lading.supply_chain.registry.retention.verdict import Kept, judge
from lading.supply_chain.registry.sql import writing
from lading.supply_chain.registry.states import State
from unit.supply_chain.registry.conftest import ROBOT, Bench

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Running:
    def __init__(self, *images: Digest) -> None:
        self.found = {str(image) for image in images}

    def images(self) -> set[str]:
        return self.found


def retention(bench: Bench, *running: Digest) -> Retention:
    holds = Holds(bench.database, bench.ledger, bench.clock)
    return Retention(bench.database, bench.ledger, bench.registry, holds, Running(*running), bench.clock)


def going(made: Retention, repository: str = "") -> set[str]:
    return {one.digest for one in made.explain(repository) if not one.stays}


def test_without_a_rule_everything_stays(each_bench: Bench) -> None:
    each_bench.image("a")
    each_bench.clock.advance(1000 * DAY)
    assert going(retention(each_bench), "shop/web") == set()
    assert retention(each_bench).apply(actor="system:registry") == []


def test_the_youngest_with_a_tag_and_the_matching_tags_stay(each_bench: Bench) -> None:
    made, images = retention(each_bench), {}
    for number, tag in enumerate(["v1", "nightly-1", "nightly-2", "nightly-3", ""]):
        each_bench.clock.advance(DAY)
        images[tag] = each_bench.image(f"text {number}", tag=tag)
    each_bench.clock.advance(100 * DAY)
    made.set(Rule(pattern="shop/*", keep_tags=("v*",), keep_last=2), actor="person:ada")
    assert going(made) == {str(images["nightly-1"]), str(images[""])}
    applied = made.apply(actor="system:registry")
    assert applied == [RetentionApplied(repository="shop/web", deleted=2, kept=3)]
    assert set(each_bench.registry.tags("shop/web")) == {"v1", "nightly-2", "nightly-3"}
    assert made.apply(actor="system:registry") == []


def test_what_runs_or_is_held_stays(each_bench: Bench) -> None:
    runs, held, other = (each_bench.image(text) for text in ("runs", "held", "other"))
    each_bench.clock.advance(100 * DAY)
    Holds(each_bench.database, each_bench.ledger, each_bench.clock).hold(held, why="case", actor="person:ada")
    made = retention(each_bench, runs)
    made.set(Rule(pattern="*", keep_days=30), actor="person:ada")
    assert going(made) == {str(other)}


def test_a_revoked_image_stays_for_those_who_look_into_it(each_bench: Bench) -> None:
    image = each_bench.image("bad")
    each_bench.move(image, State.REVOKED)
    made = retention(each_bench)
    made.set(Rule(pattern="*", keep_days=1, keep_revoked_days=90), actor="person:ada")
    each_bench.clock.advance(89 * DAY)
    assert going(made) == set()
    each_bench.clock.advance(2 * DAY)
    assert going(made) == {str(image)}


def test_members_and_signatures_stay_and_go_with_what_they_belong_to(each_bench: Bench) -> None:
    member = each_bench.image("member")
    index = each_bench.index(member, platforms=("linux/amd64",), tag="v1")
    signature = each_bench.artifact(b"signed", subject=each_bench.subject(member))
    each_bench.clock.advance(100 * DAY)
    made = retention(each_bench)
    made.set(Rule(pattern="*", keep_tags=("v*",)), actor="person:ada")
    assert going(made) == set()
    each_bench.registry.delete_tag("shop/web", "v1", ROBOT)
    assert going(made) == {str(member), str(index), str(signature)}


def test_a_pull_keeps_an_image(each_bench: Bench) -> None:
    image = each_bench.image("pulled")
    each_bench.clock.advance(100 * DAY)
    with each_bench.database.write() as tx:
        writing.add_pulls(tx, "shop/web", str(image), 3, timestamp(each_bench.clock.now() - DAY))
    made = retention(each_bench)
    made.set(Rule(pattern="shop/web", keep_pulled_days=7), actor="person:ada")
    assert going(made) == set()
    each_bench.clock.advance(7 * DAY)
    (verdict,) = made.explain()
    assert "last pulled" in verdict.why


@pytest.mark.parametrize("rule", [Rule(pattern="*"), Rule(pattern="a b", keep_last=1), Rule(pattern="*", keep_last=-1)])
def test_rules_that_would_delete_everything_or_are_malformed_are_refused(bench: Bench, rule: Rule) -> None:
    with pytest.raises(InvalidInput):
        retention(bench).set(rule, actor="person:ada")


def test_a_rule_that_is_not_there_cannot_be_removed(bench: Bench) -> None:
    made = retention(bench)
    made.set(Rule(pattern="*", keep_last=1), actor="person:ada")
    made.remove("*", actor="person:ada")
    with pytest.raises(NotFound):
        made.remove("*", actor="person:ada")


images = st.lists(
    st.builds(
        Kept,
        digest=st.sampled_from([f"sha256:{number}" for number in range(8)]),
        pushed=st.integers(0, 400).map(lambda days: timestamp(NOW - timedelta(days=days))),
        size=st.just(1),
        tags=st.lists(st.sampled_from(["v1", "latest", "x"]), max_size=2, unique=True),
        pulled=st.one_of(st.just(""), st.integers(0, 400).map(lambda days: timestamp(NOW - timedelta(days=days)))),
        needed_by=st.lists(st.sampled_from([f"sha256:{number}" for number in range(8)]), max_size=2),
        goes_with=st.sampled_from(["", *(f"sha256:{number}" for number in range(8))]),
    ),
    unique_by=lambda image: image.digest,
    max_size=8,
)
rules = st.lists(
    st.builds(
        Rule,
        pattern=st.just("*"),
        keep_tags=st.sampled_from([(), ("v*",)]),
        keep_last=st.integers(0, 3),
        keep_days=st.integers(0, 100),
        keep_pulled_days=st.integers(0, 100),
    ),
    min_size=1,
    max_size=2,
)


@given(images, rules, rules)
def test_more_rules_never_delete_more(found: list[Kept], some: list[Rule], more: list[Rule]) -> None:
    def stay(by: list[Rule]) -> set[str]:
        return {one.digest for one in judge("r", found, by, now=NOW, running=(), held=()) if one.stays}

    assert stay(some) <= stay(some + more)


@given(images, rules, st.sampled_from([f"sha256:{number}" for number in range(8)]))
def test_what_stays_has_all_it_lists(found: list[Kept], some: list[Rule], running: str) -> None:
    verdicts = {one.digest: one for one in judge("r", found, some, now=NOW, running={running}, held=())}
    for image in found:
        if any(index in verdicts and verdicts[index].stays for index in image.needed_by):
            assert verdicts[image.digest].stays
    if running in verdicts:
        assert verdicts[running].stays
    assert all(one.why for one in verdicts.values())
