"""Taking VEX statements in, ending them, and telling which images that changes something for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final

from lading.facts import Fact, Ledger
from lading.facts.kinds.supply_chain import FindingsChanged, VexEnded, VexTaken
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.errors import NotFound
from lading.kernel.severity import Severity
from lading.state import Database, Transaction
from lading.supply_chain.match.errors import VexInvalid
from lading.supply_chain.match.finding import Finding, worst_first
from lading.supply_chain.match.flaws_sql import FlawStore
from lading.supply_chain.match.index_sql import PackageIndex
from lading.supply_chain.match.matching import placed
from lading.supply_chain.match.ports import AdvisorySource, ImageHomes, NoHomes
from lading.supply_chain.match.setting_aside import with_statements
from lading.supply_chain.match.vex.reading import read_document
from lading.supply_chain.match.vex.statement import Homes, Scope, Statement
from lading.supply_chain.match.vex.vex_sql import Kept, VexStore

LONGEST: Final = timedelta(days=731)
_ACTOR: Final = "system:match"
_MOST_TOLD: Final = 100


class Vex:
    """The statements that count here."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        advisories: AdvisorySource,
        *,
        homes: ImageHomes | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._advisories = advisories
        self._homes = homes or NoHomes()
        self._clock = clock or SystemClock()
        self._store = VexStore()
        self._flaws = FlawStore()
        self._index = PackageIndex()

    def take(self, raw: bytes, *, scope: Scope, lasting: timedelta, actor: str) -> list[Statement]:
        """Take a document in; its statements count at once, and end after `lasting`.

        Raises:
            VexInvalid: see `read_document`; or `lasting` is not between a minute and two years.
        """
        if not timedelta(minutes=1) <= lasting <= LONGEST:
            raise VexInvalid("A statement must end.", remedy=f"Choose between one and {LONGEST.days} days.")
        now = self._clock.now()
        statements = read_document(raw, scope=scope, until=now + lasting, now=now)
        first = statements[0]
        fact = VexTaken(
            document=first.document,
            author=first.author,
            statements=tuple(one.id for one in statements[:_MOST_TOLD]),
            flaws=tuple(sorted({one.names[0] for one in statements}))[:_MOST_TOLD],
            statuses=dict(sorted(Counter(str(one.status) for one in statements).items())),
            scope=(*scope.images, *scope.repositories, *(f"team {team}" for team in scope.teams)),
            until=first.until,
        )

        def put(tx: Transaction) -> None:
            self._store.put(tx, statements, taken=timestamp(now), actor=actor)

        self._change(statements, put, [fact], actor)
        return statements

    def remove(self, name: str, *, actor: str) -> list[Statement]:
        """Forget a statement by its id, or all of a document; raises NotFound."""
        with self._database.read() as tx:
            gone = self._store.called(tx, name)
        if not gone:
            raise NotFound(
                f"There is no VEX statement or document {name[:100]!r}.", remedy="See `lading advisories vex ls`."
            )
        ids = [one.id for one in gone]
        self._change(gone, lambda tx: self._store.remove(tx, ids), [_ended(one, "removed") for one in gone], actor)
        return gone

    def end(self) -> int:
        """Tell of the statements that ended by themselves since the last call; how many."""
        with self._database.read() as tx:
            over = self._store.ended(tx, timestamp(self._clock.now()))
        if over:
            ids = [one.id for one in over]
            facts = [_ended(one, "expired") for one in over]
            self._change(over, lambda tx: self._store.tell_ended(tx, ids), facts, _ACTOR, were=over)
        return len(over)

    def all(self) -> list[Kept]:
        """Every statement, oldest first; those that ended are among them until they are removed."""
        with self._database.read() as tx:
            return self._store.all(tx)

    def _change(
        self,
        statements: Sequence[Statement],
        act: Callable[[Transaction], None],
        facts: Sequence[Fact],
        actor: str,
        *,
        were: Sequence[Statement] = (),
    ) -> None:
        """Change statements and tell what that makes of every image with such a flaw, at once."""
        names = sorted({name for one in statements for name in one.names})
        with self._database.read() as tx:
            found = self._by_image(tx, names)
        homes = {image: self._homes.homes(image) for image in found}
        with self._database.write() as tx:
            self._advisories.lock(tx)
            found = self._by_image(tx, names)
            before = [*self._said(tx, found), *were]
            act(tx)
            after = self._said(tx, found)
            told = [
                fact
                for image, some in sorted(found.items())
                if (fact := self._told(tx, image, some, before, after, homes.get(image, ()))) is not None
            ]
            self._ledger.append(tx, list(facts), actor=actor)
            if told:
                self._ledger.append(tx, told, actor=_ACTOR)

    def _said(self, tx: Transaction, found: dict[str, list[Finding]]) -> list[Statement]:
        names = sorted({name for some in found.values() for one in some for name in one.names})
        return self._store.about(tx, names, timestamp(self._clock.now()))

    def _by_image(self, tx: Transaction, names: Sequence[str]) -> dict[str, list[Finding]]:
        by_package: dict[int, list[Finding]] = {}
        for (number, _), one in self._flaws.named(tx, names).items():
            by_package.setdefault(number, []).append(one)
        found: dict[str, list[Finding]] = {}
        for spot in self._index.spots(tx, sorted(by_package)):
            found.setdefault(spot.image, []).extend(placed(one, spot) for one in by_package[spot.package])
        return found

    def _told(
        self,
        tx: Transaction,
        image: str,
        some: Sequence[Finding],
        before: Sequence[Statement],
        after: Sequence[Statement],
        homes: Homes,
    ) -> FindingsChanged | None:
        """The fact about one image; None when the same findings count as before."""
        was = {one.key for one in with_statements(image, some, before, homes) if one.is_set_aside}
        now = {one.key for one in with_statements(image, some, after, homes) if one.is_set_aside}
        if was == now:
            return None
        counts = self._flaws.by_severity(tx, [image]).get(image, {})
        return FindingsChanged(
            digest=image,
            opened=tuple(one.key for one in _ordered(some) if one.key in was - now),
            closed=tuple(one.key for one in _ordered(some) if one.key in now - was),
            by_severity={Severity(level).label: n for level, n in sorted(counts.items())},
            advisories=tuple(sorted({name for one in some for name in one.advisories})),
            cause="vex-changed",
        )


def _ordered(found: Iterable[Finding]) -> list[Finding]:
    return sorted(found, key=worst_first)


def _ended(one: Statement, why: str) -> VexEnded:
    return VexEnded(document=one.document, statement=one.id, flaws=one.names, why=why)
