"""Take over what another region says.

Each change is compared with the register of the same thing under the ledger's lock, and the rule in `stamps` decides.
Whatever is taken over becomes a fact with the other region as its actor, so a reader of the ledger can tell; what was
known already becomes none, and so no change goes round between regions for ever.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Protocol

from lading.facts import Fact, Ledger
from lading.facts.kinds.access import VisibilityChanged
from lading.facts.kinds.replication import ChangeRefused, TagConflictResolved
from lading.facts.kinds.supply_chain import ManifestDeleted, OwnerChanged, TagMoved
from lading.identity.principal import checked_name
from lading.kernel.clock import Clock, parse_timestamp, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import Conflict, InvalidInput, Unavailable
from lading.kernel.ids import new_id
from lading.kernel.reference import is_tag
from lading.state import Database, Transaction
from lading.supply_chain.registry.access import Visibility, Visitor
from lading.supply_chain.registry.errors import Denied, ManifestBlobUnknown, RegistryError
from lading.supply_chain.registry.manifest import Manifest, read_manifest
from lading.supply_chain.registry.reading import check_name
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.replication.changes import (
    MOST_REGIONS,
    SETTLED,
    Change,
    ManifestChange,
    Outcome,
    OwnerChange,
    Result,
    StateChange,
    TagChange,
    VisibilityChange,
)
from lading.supply_chain.registry.replication.errors import TargetInvalid
from lading.supply_chain.registry.replication.regions import Region
from lading.supply_chain.registry.replication.registers import (
    FROM_REGION,
    PRESENT,
    Registers,
    manifest_name,
    microseconds,
    tag_name,
)
from lading.supply_chain.registry.replication.sql import content
from lading.supply_chain.registry.replication.sql import registers as sql
from lading.supply_chain.registry.replication.stamps import REVOKED, Judged, Kind, Register, judge, merged
from lading.supply_chain.registry.sql import reading, writing
from lading.supply_chain.registry.states import ImageState, ImageStates, State

_AHEAD: Final = timedelta(minutes=5)
_MOST_TOLD: Final = 10_000
_log: Final = logging.getLogger(__name__)

_KNOWN: Final = Outcome(result=Result.KNOWN)
_TAKEN: Final = {
    Judged.KNOWN: Outcome(result=Result.KNOWN),
    Judged.NEWER: Outcome(result=Result.APPLIED),
    Judged.OLDER: Outcome(result=Result.OLDER),
    Judged.CONFLICT_WON: Outcome(result=Result.CONFLICT, why="it stays"),
    Judged.CONFLICT_LOST: Outcome(result=Result.CONFLICT, why="a later move stays"),
}


class Teams(Protocol):
    """The teams of this region."""

    def ensure(self, team: str, *, actor: str) -> None:
        """Make a team, unless there is one; raises InvalidName."""
        ...


class Receiver:
    """Takes changes over from regions."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        registry: Registry,
        states: ImageStates,
        registers: Registers,
        teams: Teams,
        clock: Clock,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._registry = registry
        self._states = states
        self._registers = registers
        self._teams = teams
        self._clock = clock
        self._refused: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    def apply(self, region: Region, changes: Sequence[Change]) -> tuple[list[Outcome], list[Digest]]:
        """Take over what is newer; one outcome for each change, and the images that were revoked by it.

        Raises:
            Unavailable: the database does not answer; what was taken over until then is.
        """
        self._registers.follow()
        outcomes, revoked = [], []
        for change in changes:
            try:
                outcome = self._apply(region, change)
            except (Conflict, Unavailable) as error:
                outcome = Outcome(result=Result.LATER, why=error.what)
            except (RegistryError, InvalidInput, ValueError) as error:
                outcome = self._refusal(region, change, str(error))
            outcomes.append(outcome)
            if isinstance(change, StateChange) and change.state == REVOKED and outcome.result is Result.APPLIED:
                revoked.append(Digest.parse(change.digest))
        settled = sum(outcome.result in SETTLED for outcome in outcomes)
        refused = sum(outcome.result is Result.REFUSED for outcome in outcomes)
        with self._database.write() as tx:
            sql.heard(tx, region.name, timestamp(self._clock.now()), settled, refused)
        return outcomes, revoked

    def _apply(self, region: Region, change: Change) -> Outcome:
        self._check(region, change)
        match change:
            case TagChange():
                return self._tag(region, change)
            case ManifestChange() if change.register.value:
                return self._manifest(region, change)
            case ManifestChange():
                return self._gone(region, change)
            case StateChange():
                return self._state(region, change)
            case OwnerChange():
                return self._owner(change)
            case VisibilityChange():
                return self._visibility(change)

    # What may be said at all

    def _check(self, region: Region, change: Change) -> None:
        """Raises TargetInvalid, Denied and others for what is malformed, from the future, or not theirs to say."""
        told = change.register
        kind, name, value = _about(change)
        if (told.kind, told.name, told.value) != (kind, name, value) or told.made.get(told.region) != told.at:
            raise TargetInvalid("A change and its register do not agree.")
        if len(told.made) > MOST_REGIONS or not 0 <= told.epoch <= 1_000_000 or min(told.made.values()) < 0:
            raise TargetInvalid("A register is out of bounds.")
        for named in told.made:
            checked_name(named, "region")
        latest = microseconds(self._clock.now() + _AHEAD)
        if max(told.made.values()) > latest:
            ahead = (max(told.made.values()) - latest) / 1e6 + _AHEAD.total_seconds()
            raise TargetInvalid(
                f"It was moved {ahead:.0f} s in the future.",
                remedy=f"Set the clocks of {told.region} and of this region.",
            )
        if isinstance(change, TagChange | ManifestChange | VisibilityChange):
            check_name(change.repository)
            if not region.covers(change.repository):
                raise Denied(f"{region.name} has no say in {change.repository}.", remedy="Accept it on wider terms.")
        else:
            self._check_digest(region, Digest.parse(change.digest))

    def _check_digest(self, region: Region, digest: Digest) -> None:
        """Raises Denied for an image that is here, and only in repositories that the region has no say in."""
        if not region.patterns:
            return
        with self._database.read() as tx:
            places = content.places_of(tx, str(digest))
        if places and not any(region.covers(name) for name in places):
            raise Denied(f"{region.name} has no say in {places[0]}.", remedy="Accept it on wider terms.")

    # Tags

    def _tag(self, region: Region, change: TagChange) -> Outcome:
        if not is_tag(change.tag) or (change.register.value and not _is_digest(change.register.value)):
            raise TargetInvalid(f"{change.tag[:140]!r} is not a tag.")
        if not change.register.value and not region.deletions:
            return Outcome(result=Result.KNOWN, why="this region keeps what others delete")
        repository, tag, told = change.repository, change.tag, change.register
        with self._database.write() as tx:
            content.lock_tag(tx, repository, tag)
            here, judged = self._judged(tx, told)
            if judged is Judged.KNOWN:
                return _KNOWN
            if judged in (Judged.NEWER, Judged.CONFLICT_WON):
                if told.value and reading.manifest(tx, repository, told.value) is None:
                    return Outcome(result=Result.WANTED, missing=(told.value,))
                self._point(tx, repository, tag, told.value, _actor(region, change))
            self._keep(tx, here, change, region)
            if here is not None and judged in (Judged.CONFLICT_WON, Judged.CONFLICT_LOST):
                self._conflict(tx, change, here, told, won=judged is Judged.CONFLICT_WON, region=region)
        return _TAKEN[judged]

    def _point(self, tx: Transaction, repository: str, tag: str, digest: str, actor: str) -> None:
        previous = reading.tagged(tx, repository, tag) or ""
        if previous == digest:
            return
        if digest:
            writing.set_tag(tx, repository, tag, digest, timestamp(self._clock.now()))
        else:
            writing.delete_tag(tx, repository, tag)
        fact = TagMoved(repository=repository, tag=tag, digest=digest, previous=previous)
        self._ledger.append(tx, [fact], actor=actor)

    def _conflict(
        self, tx: Transaction, change: TagChange, here: Register, told: Register, *, won: bool, region: Region
    ) -> None:
        kept, lost = (told, here) if won else (here, told)
        said = {
            "repository": change.repository,
            "tag": change.tag,
            "kept": kept.value,
            "kept_region": kept.region,
            "lost": lost.value,
            "lost_region": lost.region,
        }
        sql.keep_conflict(tx, {"id": new_id(), "at": timestamp(self._clock.now()), **said})
        self._ledger.append(tx, [TagConflictResolved(**said)], actor=f"{FROM_REGION}{region.name}")

    # Manifests

    def _manifest(self, region: Region, change: ManifestChange) -> Outcome:
        digest, told = Digest.parse(change.digest), change.register
        manifest = read_manifest(change.body, change.media_type, digest.algorithm)
        if manifest.digest != digest:
            raise TargetInvalid(f"The manifest is {manifest.digest}, not {digest}.")
        actor = _actor(region, change)
        with self._database.write() as tx:
            here, judged = self._judged(tx, told)
            there = reading.manifest(tx, change.repository, change.digest) is not None
            if here is not None and not here.value and judged in (Judged.OLDER, Judged.KNOWN, Judged.CONFLICT_LOST):
                self._keep(tx, here, change, region)
                return Outcome(result=Result.OLDER, why="it was deleted here later")
            if there:
                self._keep(tx, here, change, region)
                return _TAKEN[judged]
        self._make_room(change, actor)
        if missing := self._missing(region, change.repository, manifest, actor):
            return Outcome(result=Result.WANTED, missing=tuple(missing))
        visitor = Visitor(actor, change.team)
        try:
            self._registry.put_manifest(
                change.repository, change.digest, change.media_type, change.body, visitor, named=change.named
            )
        except ManifestBlobUnknown:
            return Outcome(result=Result.LATER, why="a part of it was deleted meanwhile")
        with self._database.write() as tx:
            here, judged = self._judged(tx, told)
            self._keep(tx, here, change, region)
            if here is not None and not here.value and judged in (Judged.OLDER, Judged.KNOWN, Judged.CONFLICT_LOST):
                self._delete(tx, change, here, actor)
                return Outcome(result=Result.OLDER, why="it was deleted here meanwhile")
        return Outcome(result=Result.APPLIED)

    def _make_room(self, change: ManifestChange, actor: str) -> None:
        """See that the repository is there and belongs to whom it belongs at the sender; raises Denied."""
        team = checked_name(change.team, "team")
        self._teams.ensure(team, actor=actor)
        visibility, now = Visibility(change.visibility or Visibility.INTERNAL), timestamp(self._clock.now())
        with self._database.write() as tx:
            owner = reading.owner(tx, change.repository)
            if owner and owner != team:
                raise Denied(
                    f"{change.repository} belongs to team {owner} here, and to team {team} there.",
                    remedy="Give it to one team in both regions, or leave it out of replication.",
                )
            if not reading.repository_exists(tx, change.repository):
                writing.claim_namespace(tx, change.repository.partition("/")[0], team, now)
                writing.create_repository(tx, change.repository, team, now)
                writing.set_visibility(tx, [change.repository], visibility)

    def _missing(self, region: Region, repository: str, manifest: Manifest, actor: str) -> list[str]:
        """What the manifest names and the repository lacks. Blobs of other repositories are mounted first."""
        wanted = {str(part.digest) for part in manifest.parts if not part.foreign}
        with self._database.read() as tx:
            lacking = wanted - reading.sizes(tx, repository, wanted).keys()
            elsewhere = content.repositories_with(tx, lacking)
        for digest, places in elsewhere.items():
            source = next((name for name in places if region.covers(name)), None)
            if source is not None and self._registry.mount(repository, Digest.parse(digest), source, Visitor(actor)):
                lacking.discard(digest)
        return [str(part.digest) for part in manifest.parts if str(part.digest) in lacking]

    def _gone(self, region: Region, change: ManifestChange) -> Outcome:
        if not region.deletions:
            return Outcome(result=Result.KNOWN, why="this region keeps what others delete")
        with self._database.write() as tx:
            here, judged = self._judged(tx, change.register)
            if judged is Judged.KNOWN:
                return _KNOWN
            if judged in (Judged.NEWER, Judged.CONFLICT_WON):
                self._delete(tx, change, change.register, _actor(region, change))
            self._keep(tx, here, change, region)
        return _TAKEN[judged]

    def _delete(self, tx: Transaction, change: ManifestChange, by: Register, actor: str) -> None:
        """Delete a manifest; its tags are deleted by the same move."""
        repository, digest = change.repository, change.digest
        facts: list[Fact] = []
        for tag in reading.tags_naming(tx, repository, digest):
            facts.append(TagMoved(repository=repository, tag=tag, digest="", previous=digest))
            name = tag_name(repository, tag)
            deleted = Register(kind=Kind.TAG, name=name, value="", at=by.at, region=by.region, made=by.made, seen={})
            sql.keep(tx, merged(sql.register(tx, Kind.TAG, name), deleted), actor)
        if writing.delete_manifest(tx, repository, digest):
            self._ledger.append(tx, [*facts, ManifestDeleted(digest=digest, repository=repository)], actor=actor)

    # States, owners, visibility

    def _state(self, region: Region, change: StateChange) -> Outcome:
        state, told = State(change.state), change.register
        for moment in filter(None, (change.until, change.since)):
            parse_timestamp(moment)
        with self._database.write() as tx:
            writing.locked_state(tx, change.digest)
            here, judged = self._judged(tx, told)
            if judged is Judged.KNOWN:
                return _KNOWN
            lifts = here is not None and here.value == REVOKED and state is not State.REVOKED
            if not region.approvals and (state is State.APPROVED or (lifts and judged is Judged.NEWER)):
                return Outcome(result=Result.KNOWN, why="this region judges for itself")
            if judged in (Judged.NEWER, Judged.CONFLICT_WON):
                after = ImageState(
                    state=state,
                    who=_actor(region, change),
                    why=change.why,
                    decision=change.decision,
                    until=change.until,
                    replaced_by=change.replaced_by,
                    since=change.since,
                )
                self._states.adopt(tx, Digest.parse(change.digest), after)
            self._keep(tx, here, change, region)
        return Outcome(result=Result.APPLIED) if judged is Judged.CONFLICT_WON else _TAKEN[judged]

    def _owner(self, change: OwnerChange) -> Outcome:
        checked_name(change.team, "team")
        with self._database.write() as tx:
            here, judged = self._judged(tx, change.register)
            before = writing.image_team(tx, change.digest)
            if before is None:
                return Outcome(result=Result.LATER, why="the image is not here yet")
            actor = f"{FROM_REGION}{change.register.region}"
            if judged in (Judged.NEWER, Judged.CONFLICT_WON) and before != change.team:
                writing.set_image_team(tx, change.digest, change.team)
                fact = OwnerChanged(digest=change.digest, before=before, team=change.team)
                self._ledger.append(tx, [fact], actor=actor)
            sql.keep(tx, merged(here, change.register), actor)
        return _TAKEN[judged]

    def _visibility(self, change: VisibilityChange) -> Outcome:
        visibility, name = Visibility(change.visibility), change.repository
        with self._database.write() as tx:
            here, judged = self._judged(tx, change.register)
            before = reading.place(tx, name)
            if before is None:
                return Outcome(result=Result.LATER, why="the repository is not here yet")
            actor = f"{FROM_REGION}{change.register.region}"
            if judged in (Judged.NEWER, Judged.CONFLICT_WON) and before[1] != visibility:
                writing.set_visibility(tx, [name, name + reading.CACHE_SUFFIX], visibility)
                fact = VisibilityChanged(repository=name, before=before[1], visibility=visibility)
                self._ledger.append(tx, [fact], actor=actor)
            sql.keep(tx, merged(here, change.register), actor)
        return _TAKEN[judged]

    # How it is done

    def _judged(self, tx: Transaction, told: Register) -> tuple[Register | None, Judged]:
        """The register here, brought up to date, and what the other one means beside it."""
        sql.hold_still(tx)
        self._registers.catch_up(tx)
        here = sql.register(tx, told.kind, told.name)
        return here, judge(here, told)

    def _keep(self, tx: Transaction, here: Register | None, change: Change, region: Region) -> None:
        after = merged(here, change.register)
        if here is not None and after.stamp == here.stamp:
            sql.keep(tx, after, sql.actors(tx, after.kind, [after.name]).get(after.name, ""))
        else:
            sql.keep(tx, after, _actor(region, change))

    def _refusal(self, region: Region, change: Change, why: str) -> Outcome:
        """The outcome for a change that is not taken over; stated once for each thing and reason."""
        kind, name, _value = _about(change)
        key = (region.name, name[:300], why[:300])
        if key not in self._refused:
            self._refused[key] = None
            while len(self._refused) > _MOST_TOLD:
                self._refused.popitem(last=False)
            fact = ChangeRefused(region=region.name, change=kind, name=name[:300], why=why[:500])
            with self._database.write() as tx:
                self._ledger.append(tx, [fact], actor=f"{FROM_REGION}{region.name}")
        _log.warning("a change was refused", extra={"region": region.name, "change": kind, "why": why[:300]})
        return Outcome(result=Result.REFUSED, why=why[:500])


def _about(change: Change) -> tuple[Kind, str, str]:
    """Kind, name and value of the register that a change must carry."""
    match change:
        case TagChange():
            return Kind.TAG, tag_name(change.repository, change.tag), change.register.value
        case ManifestChange():
            value = PRESENT if change.register.value else ""
            return Kind.MANIFEST, manifest_name(change.repository, change.digest), value
        case StateChange():
            return Kind.STATE, change.digest, change.state
        case OwnerChange():
            return Kind.OWNER, change.digest, change.team
        case VisibilityChange():
            return Kind.VISIBILITY, change.repository, change.visibility


def _actor(region: Region, change: Change) -> str:
    """Who moved it, as this region says it: a person of another region is not the one of that name here."""
    if change.actor.startswith(FROM_REGION):
        return change.actor
    return f"{FROM_REGION}{change.register.region or region.name}/{change.actor or 'unknown'}"


def _is_digest(text: str) -> bool:
    try:
        Digest.parse(text)
    except InvalidInput:
        return False
    return True
