"""Exceptions granted while Lading runs: somebody answers for each, each ends, and each is a fact.

Those written into rule files live with the rule; these live in a table, and both are judged by the same code.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from lading.facts import Ledger
from lading.facts.kinds.policy import ExceptionGranted, ExceptionWithdrawn
from lading.kernel.clock import timestamp
from lading.kernel.errors import NotFound
from lading.kernel.ids import new_id
from lading.policy.decide import Policy
from lading.policy.errors import PolicyInvalid
from lading.policy.pack import compile_exception
from lading.policy.rule import RuleException
from lading.policy.sql import ExceptionStore, GrantedException
from lading.state import Database

LONGEST: Final = timedelta(days=366)
_MOST_GLOB: Final = 200


class Exceptions:
    """Grants, lists and withdraws."""

    def __init__(self, database: Database, ledger: Ledger, policy: Policy) -> None:
        self._database = database
        self._ledger = ledger
        self._policy = policy
        self._store = ExceptionStore()

    def grant(self, rule: str, stated: RuleException, *, actor: str) -> GrantedException:
        """Except some subjects from a rule until a moment.

        Raises:
            NotFound: no such rule in force.
            PolicyInvalid: it matches everything, has no reason or owner, does not compile, lies in the past or lasts
                longer than 366 days.
        """
        compiled = self._policy.pack.rule(rule)
        if compiled is None:
            raise NotFound(f"There is no rule {rule!r} in force.", remedy="See `lading policy rules`.")
        if len(stated.subject) > _MOST_GLOB:
            raise PolicyInvalid("The subject pattern is too long.", remedy=f"Use at most {_MOST_GLOB} characters.")
        made = compile_exception(stated, self._policy.pack.engine, items=bool(compiled.rule.each))
        with self._database.write() as tx:
            now = self._policy.now(tx)
            if not now < made.until <= now + LONGEST:
                raise PolicyInvalid(
                    f"An exception until {stated.until} is in the past or too long.",
                    remedy="Choose a moment within the next 366 days; it can be granted again.",
                )
            granted = GrantedException(new_id(), rule, stated, timestamp(now), actor)
            self._store.add(tx, granted)
            match = " and ".join(part for part in (stated.subject, stated.match) if part)
            fact = ExceptionGranted(
                rule=rule, match=match, owner=stated.owner, reason=stated.reason, until=timestamp(made.until)
            )
            self._ledger.append(tx, [fact], actor=actor)
        return granted

    def withdraw(self, identity: str, *, actor: str) -> GrantedException:
        """End an exception now; raises NotFound."""
        with self._database.write() as tx:
            ended = self._store.withdraw(tx, identity, at=timestamp(self._policy.now(tx)), by=actor)
            self._ledger.append(tx, [ExceptionWithdrawn(rule=ended.rule, exception=identity)], actor=actor)
        return ended

    def list(self, *, withdrawn: bool = False) -> list[GrantedException]:
        """The exceptions granted at run time, oldest first; expired ones are among them."""
        with self._database.read() as tx:
            return self._store.all(tx, withdrawn=withdrawn)
