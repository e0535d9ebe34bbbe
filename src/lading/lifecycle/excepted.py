"""What somebody answers for that it does not count: exceptions from rules and VEX statements, in one list with owner
and end, so that none is forgotten."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, TypedDict

import msgspec

from lading.kernel.clock import Clock, parse_timestamp, timestamp
from lading.kernel.errors import InvalidInput
from lading.policy.decide import Policy
from lading.policy.exceptions import Exceptions
from lading.policy.rule import RuleException
from lading.policy.sql import GrantedException
from lading.supply_chain.match.standing.asking import Asking
from lading.supply_chain.match.vex.statement import Statement
from lading.supply_chain.match.vex.vex_sql import Kept
from lading.supply_chain.match.vexing import Vex

ENDING: Final = timedelta(days=14)
_LOOKED_AT: Final = 200
_FLAW: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,99}")
_IN_MATCH: Final = re.compile(r"""["']([A-Za-z0-9][A-Za-z0-9:._-]{2,99})["']""")


class Excepted(msgspec.Struct, frozen=True, kw_only=True):
    """One exception. `kind` is `rule` (granted), `file` (written in a rule file) or `vex`; `about` the rule or what is
    said; `subject` what it is for; `used` how many of the last 200 decisions, or how many flaws, it counts for."""

    id: str
    kind: str
    about: str
    subject: str
    flaws: tuple[str, ...]
    reason: str
    owner: str
    until: str
    days_left: int
    counts: bool
    ending: bool
    granted_by: str
    granted_at: str
    used: int


class ExceptionList:
    """Lists exceptions, and grants those that are about one flaw."""

    def __init__(self, policy: Policy, exceptions: Exceptions, vex: Vex, asking: Asking, clock: Clock) -> None:
        self._policy = policy
        self._exceptions = exceptions
        self._vex = vex
        self._asking = asking
        self._clock = clock

    def all(self, *, flaw: str = "", ending: bool = False, ended: bool = False) -> list[Excepted]:
        """Those that count, the first to end first.

        Args:
            flaw: only those that name the flaw by this id or alias.
            ending: only those that end within 14 days.
            ended: also those that ended.
        """
        names = {flaw, *self._asking.named(flaw)} if flaw else set()
        found = [
            one
            for one in self._every()
            if (one.counts or ended) and (not ending or one.ending) and (not flaw or not names.isdisjoint(one.flaws))
        ]
        return sorted(found, key=lambda one: (not one.counts, one.until, one.id))

    def grant_for(
        self, rule: str, flaw: str, *, subject: str, until: str, reason: str, owner: str, actor: str
    ) -> GrantedException:
        """Except one flaw from a rule over findings, for some subjects (`workload:shop/*`; empty for all).

        Raises:
            InvalidInput: the flaw's id is none.
            NotFound, PolicyInvalid: as `Exceptions.grant`.
        """
        if _FLAW.fullmatch(flaw) is None:
            raise InvalidInput(f"{flaw[:60]!r} is no id of a flaw.", remedy="Use its CVE or advisory id.")
        match = f'it.id == "{flaw}"'
        stated = RuleException(reason=reason, owner=owner, until=until, subject=subject, match=match)
        return self._exceptions.grant(rule, stated, actor=actor)

    def _every(self) -> Iterator[Excepted]:
        now = self._clock.now()
        used = self._used()
        for granted in self._exceptions.list():
            yield _of_rule(
                granted.stated, granted.rule, "rule", now, used, granted.id, granted.granted_by, granted.granted_at
            )
        for compiled in self._policy.pack.rules:
            for number, stated in enumerate(compiled.rule.exceptions):
                yield _of_rule(stated, compiled.rule.id, "file", now, used, f"{compiled.rule.id}#{number}", "", "")
        for kept in self._vex.all():
            yield self._of_statement(kept, now)

    def _used(self) -> Counter[RuleException]:
        """In how many of the last decisions each exception made a difference."""
        return Counter(
            stated
            for decision in self._policy.recent(limit=_LOOKED_AT)
            for stated in {one.exception for one in decision.outcome.excepted}
        )

    def _of_statement(self, kept: Kept, now: datetime) -> Excepted:
        one = kept.statement
        return Excepted(
            id=one.id,
            kind="vex",
            about=str(one.status),
            subject=", ".join(_scope(one)) or "everything",
            flaws=one.names,
            reason=one.impact or one.justification,
            owner=one.author,
            granted_by=kept.actor,
            granted_at=kept.taken,
            used=sum(bool(self._asking.named(name)) for name in one.names[:1]),
            **_times(one.until, now),
        )


def _of_rule(
    stated: RuleException,
    rule: str,
    kind: str,
    now: datetime,
    used: Counter[RuleException],
    identity: str,
    granted_by: str,
    granted_at: str,
) -> Excepted:
    return Excepted(
        id=identity,
        kind=kind,
        about=rule,
        subject=stated.subject or "every subject",
        flaws=tuple(dict.fromkeys(_IN_MATCH.findall(stated.match))),
        reason=stated.reason,
        owner=stated.owner,
        granted_by=granted_by,
        granted_at=granted_at,
        used=used[stated],
        **_times(stated.until, now),
    )


class _Times(TypedDict):
    until: str
    days_left: int
    counts: bool
    ending: bool


def _times(until: str, now: datetime) -> _Times:
    moment = parse_timestamp(until)
    return {
        "until": timestamp(moment),
        "days_left": max(0, (moment - now).days),
        "counts": now < moment,
        "ending": now < moment <= now + ENDING,
    }


def _scope(one: Statement) -> list[str]:
    scope = one.scope
    return [*scope.images, *scope.repositories, *(f"team {team}" for team in scope.teams)]
