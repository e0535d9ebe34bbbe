"""Close a flaw in what runs: find it, plan the change, rebuild, decide, replace, and verify that it is gone.

who has it    findings joined with running containers; no image is read again
plan          the layer that brought it says what to change: a pinned version in a source, or a base image
apply         rebuild bases, raise pins, ship again (the same gates as for everybody), health-gated
verify        no running container has it any more
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from lading.facts import Fact, Ledger
from lading.facts.kinds.lifecycle import PatchFinished, PatchPlanned, ShipStarted
from lading.facts.kinds.supply_chain import BaseImageMade
from lading.kernel.canonical import canonical_json
from lading.kernel.clock import Clock
from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError, NotFound
from lading.kernel.subject import Subject
from lading.lifecycle.bases import BaseOrder, Bases
from lading.lifecycle.ship import ShipRequest, Ships
from lading.lifecycle.telling import Telling
from lading.orchestration.rollout.deployments import Deployments
from lading.orchestration.sql import ContainerRow
from lading.state import Database
from lading.supply_chain.build.context import pack_directory
from lading.supply_chain.build.pins import PinChange, raise_pins
from lading.supply_chain.build.sources import Sources
from lading.supply_chain.match.findings import Findings, Place
from lading.supply_chain.registry.reading import Reading

_MOST_FACTS: Final = 1_000


class PatchFailed(LadingError):
    """A flaw could not be closed automatically; what is left to do is in the remedy."""

    code = "patch_failed"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What closes the flaw in one application. `kind` is `pin`, `base` or `by-hand`."""

    application: str
    workloads: tuple[str, ...]
    containers: tuple[str, ...]
    team: str
    package: str
    version: str
    fixed: str
    ecosystem: str
    layer: str
    origin: str
    owner: str
    kind: str
    what: str


class PatchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that must change."""

    advisory: str
    changes: tuple[Change, ...]

    def lines(self) -> list[str]:
        """The plan in sentences."""
        return [
            f"{change.application} ({', '.join(change.workloads)}; team {change.team or 'nobody'}): {change.package} "
            f"{change.version} came with layer {change.layer.partition(':')[2][:12]} of {change.origin} "
            f"(owner {change.owner or 'unknown'}); {change.what}"
            for change in self.changes
        ]


class PatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended: `nothing-to-do`, `planned`, `closed` or `open`, with the containers that still have the flaw."""

    patch: str
    advisory: str
    outcome: str
    plan: PatchPlan
    remaining: tuple[str, ...] = ()
    found_ms: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class _Affected:
    place: Place
    container: ContainerRow


class Patches:
    """Plans and carries out patches."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        findings: Findings,
        registry: Reading,
        deployments: Deployments,
        sources: Sources,
        ships: Ships,
        bases: Bases,
        is_known: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._findings = findings
        self._registry = registry
        self._deployments = deployments
        self._sources = sources
        self._ships = ships
        self._bases = bases
        self._is_known = is_known
        self._clock = clock

    def patch(self, identity: str, advisory: str, *, auto: bool, actor: str, telling: Telling) -> PatchResult:
        """Plan what closes `advisory` in running containers; with `auto`, carry it out and verify.

        Raises:
            NotFound: no advisory has this id or alias.
            PatchFailed: something has to be changed by hand.
            Refused, BuildFailed, …: as a ship raises them; what was patched before it stays patched.
        """
        if not self._is_known(advisory):
            raise NotFound(
                f"No advisory is called {advisory[:100]!r}.",
                remedy="Check the id, or take it in with `lading advisories import`.",
            )
        started = self._clock.monotonic()
        telling.step("Find")
        affected = self._affected(advisory)
        found_ms = (self._clock.monotonic() - started) * 1000
        telling.say(
            f"{len(affected)} running containers have {advisory}, found in {found_ms:.1f} ms without reading an image"
        )
        for item in affected:
            telling.say(f"{item.container.name} of {item.container.workload}, team {item.container.team}")
        plan = self._plan(advisory, affected)
        if not plan.changes:
            return self._ended(identity, plan, "nothing-to-do", (), found_ms, started, actor)
        telling.step("Plan")
        for line in plan.lines():
            telling.say(line)
        self._state([self._planned(identity, plan)], actor)
        if not auto:
            return PatchResult(
                patch=identity, advisory=advisory, outcome="planned", plan=plan, found_ms=found_ms,
                seconds=self._clock.monotonic() - started,
            )  # fmt: skip
        self._apply(identity, plan, actor, telling)
        telling.step("Verify")
        remaining = tuple(item.container.id for item in self._affected(advisory))
        outcome = "open" if remaining else "closed"
        telling.say(f"{len(remaining)} running containers have {advisory}", "warning" if remaining else "done")
        return self._ended(identity, plan, outcome, remaining, found_ms, started, actor)

    # Who has it

    def _affected(self, advisory: str) -> list[_Affected]:
        places: dict[str, list[Place]] = {}
        for place in self._findings.images_with(advisory):
            if place.finding is not None and not place.finding.is_set_aside:
                places.setdefault(place.image, []).append(place)
        if not places:
            return []
        running = self._deployments.running(places)
        return [_Affected(place, row) for row in running for place in places[row.image]]

    # What must change

    def _plan(self, advisory: str, affected: list[_Affected]) -> PatchPlan:
        grouped: dict[tuple[str, str, str], list[_Affected]] = {}
        for item in affected:
            key = (item.container.application, item.place.package, item.place.layer)
            grouped.setdefault(key, []).append(item)
        return PatchPlan(advisory=advisory, changes=tuple(self._change(items) for items in grouped.values()))

    def _change(self, items: list[_Affected]) -> Change:
        place, row = items[0].place, items[0].container
        finding = place.finding
        assert finding is not None
        origin = self._registry.origin(Digest.parse(place.layer)) if place.layer else None
        repository = origin.repository if origin else row.application
        kind, what = self._remedy(row.application, repository, finding.ecosystem, place, finding.fixed)
        return Change(
            application=row.application,
            workloads=tuple(sorted({item.container.workload for item in items})),
            containers=tuple(item.container.id for item in items),
            team=row.team,
            package=place.package,
            version=place.version,
            fixed=finding.fixed,
            ecosystem=finding.ecosystem,
            layer=place.layer,
            origin=repository,
            owner=origin.team if origin else row.team,
            kind=kind,
            what=what,
        )

    def _remedy(self, application: str, repository: str, ecosystem: str, place: Place, fixed: str) -> tuple[str, str]:
        if not fixed:
            return "by-hand", "no fixed version is known; remove the package or except it"
        if self._order_of(repository) is not None:
            return "base", f"make base {repository} again with {fixed} or newer, then rebuild {application}"
        if ecosystem in ("PyPI", "npm"):
            return "pin", f"raise {place.package} to {fixed} in the source and rebuild {application}"
        return "by-hand", f"get {place.package} {fixed} into {repository} and ship {application} again"

    def _order_of(self, repository: str) -> BaseOrder | None:
        """How a base image of this repository was made last."""
        with self._database.read() as tx:
            kinds = [BaseImageMade.kind()]
            entries = self._ledger.read(tx, kinds=kinds, newest_first=True, limit=_MOST_FACTS)
        for entry in entries:
            fact = entry.fact
            if isinstance(fact, BaseImageMade) and fact.repository == repository:
                tag = f"{fact.repository}:{fact.tag}"
                team = self._registry.team_of(repository)
                return BaseOrder(distribution=fact.distribution, include=list(fact.include), tag=tag, team=team)
        return None

    # Carrying it out

    def _apply(self, identity: str, plan: PatchPlan, actor: str, telling: Telling) -> None:
        if by_hand := [change for change in plan.changes if change.kind == "by-hand"]:
            raise PatchFailed(
                f"{plan.advisory} in {by_hand[0].application} cannot be closed automatically.",
                remedy=f"By hand: {by_hand[0].what}.",
            )
        for repository in sorted({change.origin for change in plan.changes if change.kind == "base"}):
            order = self._order_of(repository)
            assert order is not None
            self._bases.make(order, actor, telling)
        for application in sorted({change.application for change in plan.changes}):
            mine = [change for change in plan.changes if change.application == application]
            self._ship_again(identity, application, mine, actor, telling)

    def _ship_again(self, identity: str, application: str, changes: list[Change], actor: str, telling: Telling) -> None:
        declared, source = self._deployments.application(application)
        if not source:
            raise NotFound(f"The source of {application} is not kept here.", remedy="Ship it again from its source.")
        commit = self._commit_of(application, source)
        with self._sources.checkout(Digest.parse(source)) as directory:
            changed = self._raise(directory, changes, telling)
            if changed:
                with pack_directory(directory) as archive:
                    source = str(self._sources.keep(archive.path))
            request = ShipRequest(
                source=source, name=application, commit=commit, dirty=bool(changed), team=declared.team
            )
        result = self._ships.ship(identity, request, actor, telling)
        if result.outcome == "rolled-back":
            raise PatchFailed(
                f"The patched {application} did not become healthy and was rolled back: {result.reason}",
                remedy="Mend what the new version breaks and ship it; the flaw is still there.",
            )

    def _commit_of(self, application: str, source: str) -> str:
        """The commit that a source was shipped from; empty when it came from no repository."""
        subject = Subject.workload(application)
        with self._database.read() as tx:
            entries = self._ledger.read(
                tx, kinds=[ShipStarted.kind()], subject=subject, newest_first=True, limit=_MOST_FACTS
            )
        shipped = [entry.fact for entry in entries if isinstance(entry.fact, ShipStarted)]
        return next((fact.commit for fact in shipped if fact.source == source), "")

    def _raise(self, directory: Path, changes: list[Change], telling: Telling) -> list[PinChange]:
        made: list[PinChange] = []
        for change in changes:
            if change.kind != "pin":
                continue
            raised = raise_pins(directory, change.ecosystem, change.package, change.fixed)
            if not raised:
                raise PatchFailed(
                    f"No file of {change.application} pins {change.package}, so it cannot be raised automatically.",
                    remedy=f"Raise it to {change.fixed} in the source and ship again.",
                )
            for item in raised:
                telling.say(f"{item.file}:{item.line}: {item.before} -> {item.after}")
            made += raised
        return made

    # Facts

    def _planned(self, identity: str, plan: PatchPlan) -> Fact:
        return PatchPlanned(
            patch=identity,
            advisory=plan.advisory,
            workloads=tuple(sorted({name for change in plan.changes for name in change.workloads})),
            containers=tuple(sorted({item for change in plan.changes for item in change.containers})),
            plan=canonical_json(plan).decode(),
        )

    def _ended(
        self, identity: str, plan: PatchPlan, outcome: str, remaining: tuple[str, ...], found_ms: float,
        started: float, actor: str,
    ) -> PatchResult:  # fmt: skip
        seconds = self._clock.monotonic() - started
        fact = PatchFinished(
            patch=identity, advisory=plan.advisory, outcome=outcome, remaining=remaining, seconds=seconds
        )
        self._state([fact], actor)
        return PatchResult(
            patch=identity,
            advisory=plan.advisory,
            outcome=outcome,
            plan=plan,
            remaining=remaining,
            found_ms=found_ms,
            seconds=seconds,
        )

    def _state(self, facts: list[Fact], actor: str) -> None:
        with self._database.write() as tx:
            self._ledger.append(tx, facts, actor=actor)
