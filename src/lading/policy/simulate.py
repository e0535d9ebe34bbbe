"""Simulating: what would a changed pack have said about what was judged before?

Takes the youngest decision of each subject and stage, so that an image judged daily counts once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from lading.kernel.clock import timestamp
from lading.policy.errors import PolicyEmpty
from lading.policy.pack import Pack
from lading.policy.replay import outcome_of
from lading.policy.rule import Stage
from lading.policy.sql import DecisionStore, Kept
from lading.state import Database


class Difference(msgspec.Struct, frozen=True):
    """A subject that would be judged otherwise. `because` are the messages of what refuses it, then or now."""

    decision: str
    subject: str
    stage: Stage
    rules: tuple[str, ...]
    because: tuple[str, ...]


class Simulation(msgspec.Struct, frozen=True):
    """What a pack would have changed; `judged` counts the subjects it was tried on."""

    pack: str
    judged: int
    newly_refused: tuple[Difference, ...]
    newly_allowed: tuple[Difference, ...]
    still_refused: int


def simulate(
    database: Database, pack: Pack, *, since: datetime | None = None, stages: Sequence[Stage] | None = None
) -> Simulation:
    """Judge the kept inputs again with `pack`; nothing is kept of it.

    Args:
        since: only decisions made at or after this moment.
        stages: only these stages; all when None.
    """
    refused: list[Difference] = []
    allowed: list[Difference] = []
    judged = still = 0
    for kept in _latest(database, since, stages):
        judged += 1
        then = kept.decision
        now = _difference(kept, pack)
        if then.allowed and now.rules:
            refused.append(now)
        elif not then.allowed and not now.rules:
            because = tuple(violation.message for violation in then.violations)
            allowed.append(msgspec.structs.replace(now, rules=then.denied_by, because=because))
        elif now.rules:
            still += 1
    return Simulation(pack.digest, judged, tuple(refused), tuple(allowed), still)


def _difference(kept: Kept, pack: Pack) -> Difference:
    decision = kept.decision
    try:
        violations = outcome_of(kept, pack).violations
        rules = tuple(dict.fromkeys(violation.rule for violation in violations))
        because = tuple(violation.message for violation in violations)
    except PolicyEmpty as error:
        rules, because = ("(no rule)",), (error.what,)
    return Difference(decision.id, decision.subject, decision.stage, rules, because)


def _latest(database: Database, since: datetime | None, stages: Sequence[Stage] | None) -> Iterator[Kept]:
    store = DecisionStore()
    with database.read() as tx:
        found = store.latest_ids(tx, since=timestamp(since) if since else "", stages=stages)
    for identity in found:
        with database.read() as tx:
            kept = store.get(tx, identity)
        yield kept
