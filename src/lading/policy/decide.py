"""Deciding: judge a subject at a stage, and keep the decision with everything it was made from.

    judge (reads, evaluates) -> record (one write: decision row + `decision.made`)

`decide` does both; a room that changes its own state because of the decision calls `judge` before its transaction and
`record` inside it, or `decide_in` when the input is small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lading.facts import Ledger
from lading.facts.kinds.policy import DecisionMade, RulesLoaded
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.ids import new_id
from lading.kernel.subject import Subject
from lading.policy.decision import Decision, Outcome
from lading.policy.document import canonical_document
from lading.policy.errors import PolicyEmpty, PolicyInvalid
from lading.policy.evaluate import evaluate
from lading.policy.pack import CompiledException, Pack, compile_exception
from lading.policy.rule import STAGES, RuleException, Stage
from lading.policy.sql import DecisionStore, ExceptionStore, Kept
from lading.state import Database, Transaction

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Judgement:
    """An outcome that is not kept yet, with what it was made from."""

    stage: Stage
    subject: Subject
    at: str
    pack: Pack
    input: bytes
    outcome: Outcome
    granted: dict[str, tuple[RuleException, ...]]

    @property
    def allowed(self) -> bool:
        """Whether nothing was refused."""
        return self.outcome.allowed


class Policy:
    """The rules in force, and every decision made by them."""

    def __init__(self, database: Database, ledger: Ledger, pack: Pack, clock: Clock | None = None) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock or SystemClock()
        self._decisions = DecisionStore()
        self._exceptions = ExceptionStore()
        self.pack = pack

    def decide(self, stage: Stage, subject: Subject, document: dict[str, Any], *, actor: str) -> Decision:
        """Judge `subject` and keep the decision; a refusal is returned, not raised.

        Raises:
            PolicyEmpty: there is no rule for the stage, so nothing may pass.
            PolicyInvalid: the input is not a bounded JSON document.
        """
        judgement = self.judge(stage, subject, document)
        with self._database.write() as tx:
            return self.record(tx, judgement, actor=actor)

    def decide_in(
        self, tx: Transaction, stage: Stage, subject: Subject, document: dict[str, Any], *, actor: str
    ) -> Decision:
        """As `decide`, inside the caller's transaction; evaluation takes milliseconds for hundreds of findings."""
        return self.record(tx, self._judge(tx, stage, subject, document), actor=actor)

    def judge(self, stage: Stage, subject: Subject, document: dict[str, Any]) -> Judgement:
        """What the rules say now, without keeping it. Raises as `decide` does."""
        with self._database.read() as tx:
            return self._judge(tx, stage, subject, document)

    def record(self, tx: Transaction, judgement: Judgement, *, actor: str) -> Decision:
        """Keep a judgement as a decision and state it, in the caller's transaction."""
        pack, outcome = judgement.pack, judgement.outcome
        identity = new_id()
        facts: list[RulesLoaded | DecisionMade] = []
        if not self._decisions.knows_pack(tx, pack.digest):
            self._decisions.keep_pack(tx, pack, judgement.at)
            facts.append(RulesLoaded(rules=pack.digest, count=len(pack.rules), origin=pack.origin))
        facts.append(
            DecisionMade(
                decision=identity,
                stage=judgement.stage,
                about=str(judgement.subject),
                allowed=outcome.allowed,
                denied_by=tuple(dict.fromkeys(one.rule for one in outcome.violations)),
                excepted=tuple(dict.fromkeys(one.violation.rule for one in outcome.excepted)),
                rules=pack.digest,
            )
        )
        head = self._ledger.append(tx, facts, actor=actor)
        decision = Decision(
            id=identity,
            stage=judgement.stage,
            subject=str(judgement.subject),
            actor=actor,
            at=judgement.at,
            allowed=outcome.allowed,
            pack=pack.digest,
            engine=pack.engine.name,
            outcome=outcome,
            seq=head.seq,
        )
        self._decisions.add(tx, Kept(decision, judgement.input, judgement.granted))
        return decision

    def now(self, tx: Transaction) -> datetime:
        """The moment to judge by: never before the head of the ledger, so a clock set back revives no exception."""
        head = self._ledger.head(tx)
        return max(self._clock.now(), _EPOCH + timedelta(microseconds=head.at))

    def get(self, identity: str) -> Kept:
        """A kept decision with its input; raises NotFound."""
        with self._database.read() as tx:
            return self._decisions.get(tx, identity)

    def recent(self, *, subject: Subject | None = None, stage: Stage | None = None, limit: int = 50) -> list[Decision]:
        """The youngest decisions, youngest first."""
        with self._database.read() as tx:
            about = None if subject is None else str(subject)
            return self._decisions.recent(tx, subject=about, stage=stage, limit=limit)

    def _judge(self, tx: Transaction, stage: Stage, subject: Subject, document: dict[str, Any]) -> Judgement:
        if stage not in STAGES:
            raise PolicyInvalid(f"{stage!r} is not a stage.", remedy=f"Stages are {', '.join(STAGES)}.")
        if not self.pack.rules:
            raise PolicyEmpty("The policy pack has no rules, so nothing is allowed.", remedy="Use the default pack.")
        pack, moment = self.pack, self.now(tx)
        stated = document | {"stage": stage, "now": timestamp(moment)}
        judged, body = canonical_document(stated)
        granted = self._granted(tx, [one.rule.id for one in pack.of_stage(stage)])
        outcome = evaluate(
            pack,
            stage,
            judged,
            subject=subject,
            at=moment,
            granted=compiled_grants(pack, granted),
            clock=self._clock,
        )
        return Judgement(stage, subject, timestamp(moment), pack, body, outcome, granted)

    def _granted(self, tx: Transaction, rules: Sequence[str]) -> dict[str, tuple[RuleException, ...]]:
        found: dict[str, tuple[RuleException, ...]] = {}
        for one in self._exceptions.all(tx, of_rules=rules):
            found[one.rule] = (*found.get(one.rule, ()), one.stated)
        return found


def compiled_grants(
    pack: Pack, granted: dict[str, tuple[RuleException, ...]]
) -> dict[str, tuple[CompiledException, ...]]:
    """The exceptions granted at run time, made ready for the rules of `pack`; one that no longer compiles is left out.

    Leaving it out is the closed side: the rule holds.
    """
    ready: dict[str, tuple[CompiledException, ...]] = {}
    for rule, stated in granted.items():
        compiled = pack.rule(rule)
        if compiled is None:
            continue
        for one in stated:
            try:
                made = compile_exception(one, pack.engine, items=bool(compiled.rule.each))
            except PolicyInvalid:
                continue
            ready[rule] = (*ready.get(rule, ()), made)
    return ready
