"""Who sees which repository: the rule in memory and the rule in the database say the same."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.facts import Ledger
from lading.kernel.clock import ManualClock
from lading.state import Database, metadata
from lading.supply_chain.registry.access import Place, Sight, Visibility
from lading.supply_chain.registry.errors import NameUnknown
from lading.supply_chain.registry.sql import reading
from lading.supply_chain.registry.sql.tables import repositories
from lading.supply_chain.registry.visibility import Visibilities
from unit.supply_chain.registry.conftest import Bench

TEAMS = ("shop", "data", "pay")
NAMES = ("shop/web", "shop/web/build-cache", "shop/w_b", "shop/wxb", "data/etl", "pay/api", "pay/a.p", "shop")
PATTERNS = ("shop/*", "*", "shop/web*", "shop/w_b", "*/api", "pay/a.p", "s*b")

sights = st.builds(
    Sight,
    everything=st.booleans(),
    internal=st.booleans(),
    public=st.booleans(),
    teams=st.frozensets(st.sampled_from(TEAMS), max_size=2),
    narrowed=st.frozensets(st.tuples(st.sampled_from((*TEAMS, "*")), st.sampled_from(PATTERNS)), max_size=3),
)
rows = st.fixed_dictionaries({name: st.tuples(st.sampled_from(TEAMS), st.sampled_from(Visibility)) for name in NAMES})


@settings(max_examples=300, deadline=None)
@given(sight=sights, placed=rows)
def test_lists_follow_the_rule_for_each_repository(sight: Sight, placed: dict[str, tuple[str, Visibility]]) -> None:
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    with database.write() as tx:
        for name, (team, visibility) in placed.items():
            tx.execute(sa.insert(repositories).values(name=name, team=team, visibility=visibility, created=""))
    with database.read() as tx:
        listed = [row.name for row in reading.repository_rows(tx, sight, "", 100)]
    database.close()

    assert listed == sorted(
        name for name, (team, visibility) in placed.items() if sight.sees(Place(name, team, visibility, exists=True))
    )


def test_what_is_not_seen_and_what_does_not_exist_cannot_be_told_apart() -> None:
    stranger = Sight(internal=True, public=True, teams=frozenset({"data"}))

    assert not stranger.sees(Place("shop/web", "shop", Visibility.PRIVATE, exists=True))
    assert not stranger.sees(Place("shop/none", "shop"))
    assert not stranger.sees(Place("free/none"))


def test_a_layer_cache_is_as_visible_as_its_image(each_bench: Bench) -> None:
    visibilities = Visibilities(each_bench.database, each_bench.ledger)
    each_bench.image(repository="shop/web")
    each_bench.image(repository="shop/web/build-cache")
    visibilities.change("shop/web", Visibility.PRIVATE, actor="person:ada")
    assert each_bench.registry.place("shop/web/build-cache").visibility is Visibility.PRIVATE

    each_bench.image(repository="shop/api")
    visibilities.change("shop/api", Visibility.PUBLIC, actor="person:ada")
    each_bench.image(repository="shop/api/build-cache")
    assert each_bench.registry.place("shop/api/build-cache").visibility is Visibility.PUBLIC


def test_a_change_is_a_fact_and_no_change_is_none(each_database: Database, ledger: Ledger, clock: ManualClock) -> None:
    visibilities = Visibilities(each_database, ledger)
    with pytest.raises(NameUnknown):
        visibilities.change("shop/web", Visibility.PUBLIC, actor="person:ada")
    with each_database.write() as tx:
        tx.execute(sa.insert(repositories).values(name="shop/web", team="shop", created=""))
    for _ in range(2):
        visibilities.change("shop/web", Visibility.PUBLIC, actor="person:ada")

    with each_database.read() as tx:
        kinds = [entry.fact.kind() for entry in ledger.read(tx)]
    assert kinds == ["repository.visibility-changed"]
    assert [row.visibility for row in visibilities.listed(Sight(public=True))] == ["public"]
    assert visibilities.listed(Sight(internal=True)) == []
