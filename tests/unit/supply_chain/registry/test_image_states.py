"""The moves of an image from state to state."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from lading.facts.kinds.supply_chain import ImageMoved
from lading.kernel.digest import Digest
from lading.supply_chain.registry.errors import IllegalMove
from lading.supply_chain.registry.states import LEGAL_MOVES, State

NEW = Digest.of(b"an image")


@pytest.mark.parametrize(("before", "to"), list(product([None, *State], State)))
def test_only_the_moves_of_the_table_are_possible(each_bench: Any, before: State | None, to: State) -> None:
    ways = {None: [], State.QUARANTINED: [State.QUARANTINED], State.APPROVED: [State.QUARANTINED, State.APPROVED],
            State.REVOKED: [State.QUARANTINED, State.REVOKED]}  # fmt: skip
    for step in ways[before]:
        each_bench.move(NEW, step)
    facts = len(each_bench.facts())
    if (before, to) in LEGAL_MOVES:
        each_bench.move(NEW, to, why="another reason")
        assert each_bench.states.state(NEW).state is to
        assert len(each_bench.facts()) == facts + 1
    elif before is to:
        each_bench.move(NEW, to, why="another reason")
        assert (each_bench.states.state(NEW).why, len(each_bench.facts())) == ("because", facts)
    else:
        with pytest.raises(IllegalMove):
            each_bench.move(NEW, to)
        assert len(each_bench.facts()) == facts


def test_a_move_that_says_nothing_new_is_no_fact(bench: Any) -> None:
    bench.move(NEW, State.QUARANTINED, decision="d1")
    bench.move(NEW, State.QUARANTINED, decision="d1")
    assert len(bench.facts()) == 1
    bench.move(NEW, State.QUARANTINED, decision="d2")
    assert bench.states.state(NEW).decision == "d2"


def test_an_approval_ends_by_itself(bench: Any) -> None:
    until = bench.clock.now() + timedelta(days=1)
    bench.move(NEW, State.QUARANTINED)
    bench.move(NEW, State.APPROVED, until=until)
    assert bench.states.in_state(State.APPROVED) == [str(NEW)]
    bench.clock.advance(timedelta(days=1))
    assert bench.states.state(NEW).state is State.QUARANTINED
    assert "expired" in bench.states.state(NEW).why
    assert bench.states.in_state(State.APPROVED) == []
    assert bench.states.in_state(State.QUARANTINED) == [str(NEW)]


def test_a_move_is_stated_with_all_that_is_known_of_it(bench: Any) -> None:
    bench.move(NEW, State.QUARANTINED)
    bench.move(NEW, State.REVOKED, why="malware", replaced_by="shop/web:2")
    entry = bench.facts()[-1]
    assert entry.actor == "person:ada"
    assert entry.fact == ImageMoved(
        digest=str(NEW), before="quarantined", after="revoked", why="malware", replaced_by="shop/web:2"
    )
