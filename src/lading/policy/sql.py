"""The tables of policy, and their store: rule versions, packs, decisions and the exceptions granted at run time.

Rules are kept by digest, once, whichever packs and decisions name them. A decision's input and outcome are JSON
compressed with zstd; findings repeat themselves, so it comes to a tenth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import sqlalchemy as sa
import zstandard
from sqlalchemy.dialects import postgresql, sqlite

from lading.kernel.canonical import canonical_json
from lading.kernel.errors import IntegrityFailure, NotFound
from lading.policy.decision import Decision, Outcome
from lading.policy.document import MOST_BYTES
from lading.policy.pack import Pack
from lading.policy.rule import Rule, RuleException, Stage
from lading.state import Transaction
from lading.state.schema import metadata

rules: Final = sa.Table(
    "policy_rules",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="canonical JSON of the rule, without its examples"),
)

packs: Final = sa.Table(
    "policy_packs",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("first_used", sa.Text, nullable=False),
    sa.Column("rules", sa.LargeBinary, nullable=False, comment="JSON list of rule digests"),
)

decisions: Final = sa.Table(
    "policy_decisions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False, comment="the ledger entry that states the decision"),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("allowed", sa.Boolean, nullable=False),
    sa.Column("pack", sa.Text, sa.ForeignKey("policy_packs.digest"), nullable=False),
    sa.Column("engine", sa.Text, nullable=False),
    sa.Column("input", sa.LargeBinary, nullable=False, comment="zstd of the canonical JSON"),
    sa.Column("outcome", sa.LargeBinary, nullable=False, comment="zstd of JSON"),
    sa.Column("granted", sa.LargeBinary, nullable=False, comment="JSON: run-time exceptions in sight, by rule"),
    sa.Index("ix_policy_decisions_subject_seq", "subject", "seq"),
    sa.Index("ix_policy_decisions_seq", "seq"),
)

exceptions: Final = sa.Table(
    "policy_exceptions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("granted_at", sa.Text, nullable=False),
    sa.Column("granted_by", sa.Text, nullable=False),
    sa.Column("withdrawn_at", sa.Text),
    sa.Column("withdrawn_by", sa.Text),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("ix_policy_exceptions_rule", "rule"),
)

_MOST_OUTCOME: Final = 512 * 1024 * 1024
_decode_rule = msgspec.json.Decoder(Rule).decode
_decode_outcome = msgspec.json.Decoder(Outcome).decode
_decode_granted = msgspec.json.Decoder(dict[str, tuple[RuleException, ...]]).decode
_decode_digests = msgspec.json.Decoder(list[str]).decode
_decode_exception = msgspec.json.Decoder(RuleException).decode
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Kept:
    """A decision with what it was made from: `input` is the canonical JSON."""

    decision: Decision
    input: bytes
    granted: dict[str, tuple[RuleException, ...]]


@dataclass(frozen=True, slots=True)
class GrantedException:
    """An exception granted at run time."""

    id: str
    rule: str
    stated: RuleException
    granted_at: str
    granted_by: str
    withdrawn_at: str = ""
    withdrawn_by: str = ""


class DecisionStore:
    """Rows of decisions and of the rules they were made by."""

    def knows_pack(self, tx: Transaction, digest: str) -> bool:
        """Whether the pack and its rules are kept."""
        return tx.execute(sa.select(packs.c.digest).where(packs.c.digest == digest)).first() is not None

    def keep_pack(self, tx: Transaction, pack: Pack, at: str) -> None:
        """Keep the pack and those of its rules that are new; keeping it again changes nothing."""
        rows = [{"digest": one.digest, "id": one.rule.id, "body": one.rule.canonical()} for one in pack.rules]
        _insert_new(tx, rules, rows)
        listed = canonical_json([one.digest for one in pack.rules])
        _insert_new(tx, packs, [{"digest": pack.digest, "origin": pack.origin, "first_used": at, "rules": listed}])

    def rules_of(self, tx: Transaction, pack: str) -> list[Rule]:
        """The rules of a pack as they were; raises NotFound or IntegrityFailure (a kept rule was changed)."""
        found = tx.execute(sa.select(packs.c.rules).where(packs.c.digest == pack)).scalar()
        if found is None:
            raise NotFound(f"No policy pack {pack} is kept.")
        wanted = _decode_digests(found)
        rows = tx.execute(sa.select(rules.c.digest, rules.c.body).where(rules.c.digest.in_(wanted)))
        read = {row.digest: _decode_rule(row.body) for row in rows}
        for digest in wanted:
            if digest not in read or str(read[digest].digest()) != digest:
                raise IntegrityFailure(
                    f"The kept rule {digest} is missing or was changed.", remedy="Restore policy_rules from a backup."
                )
        return [read[digest] for digest in wanted]

    def add(self, tx: Transaction, kept: Kept) -> None:
        """Keep a decision."""
        decision = kept.decision
        tx.execute(
            sa.insert(decisions).values(
                id=decision.id,
                seq=decision.seq,
                at=decision.at,
                stage=decision.stage,
                subject=decision.subject,
                actor=decision.actor,
                allowed=decision.allowed,
                pack=decision.pack,
                engine=decision.engine,
                input=_compress(kept.input),
                outcome=_compress(_encode(decision.outcome)),
                granted=_encode(kept.granted),
            )
        )

    def get(self, tx: Transaction, identity: str) -> Kept:
        """The decision; raises NotFound."""
        row = tx.execute(sa.select(decisions).where(decisions.c.id == identity)).first()
        if row is None:
            raise NotFound(f"There is no decision {identity}.", remedy="See `lading decisions` for those there are.")
        return _kept(row)

    def recent(
        self, tx: Transaction, *, subject: str | None = None, stage: Stage | None = None, limit: int = 50
    ) -> list[Decision]:
        """The youngest decisions, youngest first."""
        query = sa.select(decisions).order_by(decisions.c.seq.desc()).limit(limit)
        if subject is not None:
            query = query.where(decisions.c.subject == subject)
        if stage is not None:
            query = query.where(decisions.c.stage == stage)
        return [_kept(row).decision for row in tx.execute(query)]

    def latest_ids(self, tx: Transaction, *, since: str = "", stages: Sequence[Stage] | None = None) -> list[str]:
        """The id of the youngest decision of each subject and stage made at or after `since`, oldest first."""
        query = sa.select(sa.func.max(decisions.c.seq)).group_by(decisions.c.subject, decisions.c.stage)
        query = query.where(decisions.c.at >= since)
        if stages is not None:
            query = query.where(decisions.c.stage.in_(stages))
        chosen = sa.select(decisions.c.id).where(decisions.c.seq.in_(query)).order_by(decisions.c.seq)
        return list(tx.execute(chosen).scalars())


class ExceptionStore:
    """Rows of exceptions granted at run time."""

    def add(self, tx: Transaction, granted: GrantedException) -> None:
        """Keep a new exception."""
        tx.execute(
            sa.insert(exceptions).values(
                id=granted.id,
                rule=granted.rule,
                granted_at=granted.granted_at,
                granted_by=granted.granted_by,
                body=_encode(granted.stated),
            )
        )

    def withdraw(self, tx: Transaction, identity: str, *, at: str, by: str) -> GrantedException:
        """End an exception now; raises NotFound when there is none in force with this id."""
        query = sa.update(exceptions).where(exceptions.c.id == identity, exceptions.c.withdrawn_at.is_(None))
        if tx.execute(query.values(withdrawn_at=at, withdrawn_by=by)).rowcount != 1:
            raise NotFound(f"There is no exception {identity} in force.", remedy="See `lading policy exceptions`.")
        return next(one for one in self.all(tx, withdrawn=True) if one.id == identity)

    def all(
        self, tx: Transaction, *, of_rules: Iterable[str] | None = None, withdrawn: bool = False
    ) -> list[GrantedException]:
        """The exceptions, oldest first, expired ones too; withdrawn ones only when asked for."""
        query = sa.select(exceptions).order_by(exceptions.c.id)
        if of_rules is not None:
            query = query.where(exceptions.c.rule.in_(list(of_rules)))
        if not withdrawn:
            query = query.where(exceptions.c.withdrawn_at.is_(None))
        return [
            GrantedException(
                id=row.id,
                rule=row.rule,
                stated=_decode_exception(row.body),
                granted_at=row.granted_at,
                granted_by=row.granted_by,
                withdrawn_at=row.withdrawn_at or "",
                withdrawn_by=row.withdrawn_by or "",
            )
            for row in tx.execute(query)
        ]


def _kept(row: sa.Row[Any]) -> Kept:
    decision = Decision(
        id=row.id,
        seq=row.seq,
        at=row.at,
        stage=row.stage,
        subject=row.subject,
        actor=row.actor,
        allowed=row.allowed,
        pack=row.pack,
        engine=row.engine,
        outcome=_decode_outcome(_decompress(row.outcome, _MOST_OUTCOME)),
    )
    return Kept(decision, _decompress(row.input, MOST_BYTES), _decode_granted(row.granted))


def _insert_new(tx: Transaction, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    insert = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    tx.execute(insert(table).on_conflict_do_nothing(index_elements=["digest"]), rows)


def _compress(body: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(body)


def _decompress(body: bytes, most: int) -> bytes:
    return zstandard.ZstdDecompressor().decompress(body, max_output_size=most)
