"""Replaying: the rules of then, on the input of then, must say what was said then.

A decision names its pack, a pack its rules by digest, and rules are kept for ever: this needs nothing but the database.
"""

from __future__ import annotations

import msgspec

from lading.kernel.clock import parse_timestamp
from lading.kernel.errors import IntegrityFailure
from lading.kernel.subject import Subject
from lading.policy.cel import CelEngine
from lading.policy.decide import compiled_grants
from lading.policy.decision import Outcome
from lading.policy.document import read_document
from lading.policy.errors import PolicyInvalid
from lading.policy.evaluate import evaluate
from lading.policy.pack import Pack, pack_of
from lading.policy.sql import DecisionStore, Kept
from lading.state import Database


class Replayed(msgspec.Struct, frozen=True):
    """What was said then and what the same rules say now; `equal` must be true."""

    decision: str
    equal: bool
    then: Outcome
    again: Outcome


class Replay:
    """Brings back the rules of a decision and judges its input again."""

    def __init__(self, database: Database, engine: CelEngine | None = None) -> None:
        self._database = database
        self._engine = engine
        self._store = DecisionStore()
        self._packs: dict[str, Pack] = {}

    def replay(self, identity: str) -> Replayed:
        """Judge again as then.

        Raises:
            NotFound: no such decision.
            IntegrityFailure: the kept rules or the kept input are not what they were.
        """
        with self._database.read() as tx:
            kept = self._store.get(tx, identity)
        again = outcome_of(kept, self.pack_of(kept))
        then = kept.decision.outcome
        return Replayed(identity, then == again and kept.decision.allowed == again.allowed, then, again)

    def pack_of(self, kept: Kept) -> Pack:
        """The rules the decision was made by; raises NotFound and IntegrityFailure."""
        digest = kept.decision.pack
        if digest not in self._packs:
            with self._database.read() as tx:
                rules = self._store.rules_of(tx, digest)
            try:
                pack = pack_of(rules, self._engine, origin="kept")
            except PolicyInvalid as error:
                raise IntegrityFailure(f"The kept rules of {digest} do not compile any more: {error.what}") from error
            if pack.digest != digest:
                raise IntegrityFailure(f"The kept policy pack {digest} has other rules than it had.")
            self._packs[digest] = pack
        return self._packs[digest]


def outcome_of(kept: Kept, pack: Pack) -> Outcome:
    """What `pack` says about a kept input, at the moment and under the exceptions of then; raises PolicyEmpty."""
    decision = kept.decision
    return evaluate(
        pack,
        decision.stage,
        read_document(kept.input),
        subject=Subject.parse(decision.subject),
        at=parse_timestamp(decision.at),
        granted=compiled_grants(pack, kept.granted),
    )
