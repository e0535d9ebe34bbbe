"""Rules of retention, what they would do, and doing it: one image at a time, each looked at once more first."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, Protocol

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.collecting import RetentionApplied, RetentionChanged
from lading.kernel.clock import Clock, SystemClock
from lading.kernel.errors import NotFound
from lading.state import Database, Transaction
from lading.supply_chain.registry.access import Visitor
from lading.supply_chain.registry.holding import Holds
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.retention import sql
from lading.supply_chain.registry.retention.rules import Rule, checked
from lading.supply_chain.registry.retention.verdict import Kept, Verdict, judge

_decoder: Final = msgspec.json.Decoder(Rule)
_REVOKED: Final = "revoked"
_PAGE: Final = 500


class InUse(Protocol):
    """What runs."""

    def images(self) -> Collection[str]:
        """The digests of the images of running containers."""
        ...


class Retention:
    """The rules of one registry."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        registry: Registry,
        holds: Holds,
        in_use: InUse,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._registry = registry
        self._holds = holds
        self._in_use = in_use
        self._clock = clock or SystemClock()

    def rules(self) -> list[Rule]:
        """The rules, by pattern."""
        with self._database.read() as tx:
            return self._rules(tx)

    def set(self, rule: Rule, *, actor: str) -> None:
        """Keep a rule in place of the one with the same pattern; raises InvalidInput for one that keeps nothing."""
        body = msgspec.json.encode(checked(rule))
        with self._database.write() as tx:
            sql.save_rule(tx, rule.pattern, body)
            self._ledger.append(tx, [RetentionChanged(pattern=rule.pattern, rule=body.decode())], actor=actor)

    def remove(self, pattern: str, *, actor: str) -> None:
        """Forget a rule; raises NotFound."""
        with self._database.write() as tx:
            if not sql.delete_rule(tx, pattern):
                raise NotFound(f"There is no rule for {pattern[:100]!r}.", remedy="See `lading registry retention ls`.")
            self._ledger.append(tx, [RetentionChanged(pattern=pattern, rule="")], actor=actor)

    def explain(self, repository: str = "") -> Iterator[Verdict]:
        """A verdict for every manifest of one repository, or of all that a rule is about; changes nothing."""
        with self._database.read() as tx:
            rules = self._rules(tx)
            names = [repository] if repository else sql.repository_names(tx)
        for name in names:
            mine = [rule for rule in rules if rule.matches(name)]
            if mine or repository:
                with self._database.read() as tx:
                    verdicts = self._judged(tx, name, mine)
                yield from verdicts

    def apply(self, *, actor: str) -> list[RetentionApplied]:
        """Delete what no rule keeps, in every repository that a rule is about; returns what was done to each.

        Images are judged in the transaction that deletes them: one that was tagged, held or started since stays.
        """
        with self._database.read() as tx:
            names = sql.repository_names(tx)
            rules = self._rules(tx)
        done = []
        for name in names:
            deleted = self._clean(name, actor) if any(rule.matches(name) for rule in rules) else 0
            if not deleted:
                continue
            with self._database.write() as tx:
                kept = len(sql.manifest_rows(tx, name))
                fact = RetentionApplied(repository=name, deleted=deleted, kept=kept)
                self._ledger.append(tx, [fact], actor=actor)
            done.append(fact)
        return done

    def _clean(self, repository: str, actor: str) -> int:
        """Delete page by page; returns how many images went."""

        def doomed(tx: Transaction) -> list[str]:
            mine = [rule for rule in self._rules(tx) if rule.matches(repository)]
            return [one.digest for one in self._judged(tx, repository, mine) if not one.stays][:_PAGE]

        total = 0
        while gone := self._registry.delete_manifests(repository, doomed, Visitor(actor)):
            total += gone
        return total

    def _rules(self, tx: Transaction) -> list[Rule]:
        return [_decoder.decode(body) for body in sql.rule_bodies(tx)]

    def _judged(self, tx: Transaction, repository: str, rules: list[Rule]) -> list[Verdict]:
        images = _images(tx, repository)
        held = self._holds.protection(tx).images
        return judge(repository, images, rules, now=self._clock.now(), running=set(self._in_use.images()), held=held)


def _images(tx: Transaction, repository: str) -> list[Kept]:
    named: dict[str, list[str]] = {}
    for row in sql.tag_rows(tx, repository):
        named.setdefault(row.digest, []).append(row.tag)
    listed: dict[str, list[str]] = {}
    for row in sql.listing_rows(tx, repository):
        listed.setdefault(row.digest, []).append(row.manifest)
    return [
        Kept(
            digest=row.digest,
            pushed=row.pushed,
            size=row.content_size,
            tags=named.get(row.digest, ()),
            pulled=row.last or "",
            revoked=row.since if row.state == _REVOKED else "",
            needed_by=listed.get(row.digest, ()),
            goes_with=row.served_with or row.refers_to,
        )
        for row in sql.manifest_rows(tx, repository)
    ]
