"""From pushed to approved: inventory, match, decide, prove, approve.

Two questions are asked: may this image be in the registry at all (stage "push"), and could it be deployed (stage
"deploy", without a workload)? Only when both are answered yes is it signed and approved; an image that is approved
already and fails now loses its approval.

An index is as good as its worst platform: every image that it lists is judged first, and the index is approved when all
of them are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from lading.facts import Ledger
from lading.kernel.clock import Clock
from lading.kernel.digest import Digest
from lading.kernel.subject import Subject
from lading.lifecycle.document import Documents
from lading.lifecycle.telling import Telling, Untold
from lading.policy.decide import Policy
from lading.policy.decision import Decision
from lading.state import Database
from lading.supply_chain.attest.attestations import Attestations
from lading.supply_chain.attest.statement import APPROVAL, CYCLONEDX, PROVENANCE, SCAN
from lading.supply_chain.inventory.inventories import Inventories
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.findings import Findings
from lading.supply_chain.registry.members import Member
from lading.supply_chain.registry.states import ImageState, ImageStates, State

APPROVAL_LASTS: Final = timedelta(days=90)
_ACTOR: Final = "system:admission"
_MOST_HELD: Final = 10_000
_PAGE: Final = 500
_REFUSED: Final = "refused by "
_FOR_MEMBER: Final = "its image for "
_Weakest = tuple[Member, ImageState]


class BillOfMaterials(Protocol):
    """Writes what is in an image as CycloneDX."""

    def of(self, image: Digest) -> dict[str, Any]:
        """The document; raises NotInventoried."""
        ...


class Lineages(Protocol):
    """What images are built on."""

    def learn(self, image: Digest) -> None:
        """Know what an image begins with."""
        ...


class Indexes(Protocol):
    """What indexes list."""

    def members(self, digest: Digest, platforms: Collection[str] = ()) -> Sequence[Member]:
        """The images that decide how good an index is, for all or some platforms; none for an image."""
        ...

    def indexes_with(self, digest: Digest) -> list[Digest]:
        """The indexes that list an image, directly or through others."""
        ...

    def repository_of(self, digest: Digest) -> str:
        """A repository that holds the image; raises ManifestUnknown."""
        ...


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of an image."""

    image: Digest
    repository: str
    state: State
    decision: Decision
    packages: int
    findings: tuple[Finding, ...]

    @property
    def approved(self) -> bool:
        """Whether it may be pulled."""
        return self.state is State.APPROVED


class Admission:
    """Judges images.

    Args:
        platforms: the `os/architecture`s whose images an index is judged by; all when empty.
        version: of Lading, as statements about its scans name it.
    """

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        states: ImageStates,
        inventories: Inventories,
        findings: Findings,
        documents: Documents,
        policy: Policy,
        attestations: Attestations,
        bill_of_materials: BillOfMaterials,
        indexes: Indexes,
        clock: Clock,
        platforms: Collection[str] = (),
        lineages: Lineages | None = None,
        version: str = "",
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._states = states
        self._inventories = inventories
        self._findings = findings
        self._documents = documents
        self._policy = policy
        self._attestations = attestations
        self._bill_of_materials = bill_of_materials
        self._indexes = indexes
        self._clock = clock
        self._platforms = platforms
        self._lineages = lineages
        self._version = version

    def admit(
        self, image: Digest, repository: str, telling: Telling, provenance: dict[str, Any] | None = None
    ) -> Verdict:
        """Judge an image and move it to the state it deserves; judging it again is harmless.

        Args:
            provenance: how it was made, when Lading made it; attested before the decision, which looks for it.
        """
        weakest = self._judge_members(image, repository, telling)
        inventory = self._inventories.take(image)
        if self._lineages is not None:
            self._lineages.learn(image)
        ecosystems = ", ".join(f"{count} {name}" for name, count in sorted(inventory.ecosystems.items()))
        telling.say(f"inventory: {len(inventory.packages)} packages ({ecosystems or 'none'}), {inventory.files} files")
        findings = self._findings.match_image(image, inventory)
        telling.say(f"match: {_counted(findings)}")
        if provenance is not None:
            self._attestations.attest(image, repository, PROVENANCE, provenance, actor=_ACTOR)
        decision = self._decide(image)
        if not decision.allowed:
            state = self._hold(image, decision, unless_by_hand=True)
        elif weakest is not None:
            state = self._hold_for(image, *weakest)
        else:
            state = self._prove_and_approve(image, repository, decision)
        telling.say(f"decision {decision.id[:8]}: {state}", "done" if state is State.APPROVED else "warning")
        return Verdict(
            image=image,
            repository=repository,
            state=state,
            decision=decision,
            packages=len(inventory.packages),
            findings=tuple(findings),
        )

    def learn(self, image: Digest) -> None:
        """Know what is in an image that another region judged, so that it is judged here too when a flaw is found."""
        if self._lineages is not None:
            self._lineages.learn(image)
        self._findings.match_image(image, self._inventories.take(image))

    def reconsider(self, image: Digest, repository: str) -> Decision | None:
        """Judge an approved image again, because something new is known; withdraws the approval if it fails now.

        Returns:
            The decision, or None when the image is not approved.
        """
        state = self._states.state(image)
        if state is None or state.state is not State.APPROVED:
            return None
        del repository
        decision = self._decide(image)
        if not decision.allowed:
            self._hold(image, decision)
        return decision

    def renew(self, image: Digest) -> bool:
        """Judge an approved image again; when it passes it is approved anew, otherwise held. Whether it passed."""
        decision = self._decide(image)
        if not decision.allowed:
            self._hold(image, decision)
        elif (weakest := self.weakest(image)) is not None:
            self._hold_for(image, *weakest)
        else:
            self._approve(image, self._indexes.repository_of(image), decision)
            return True
        return False

    def held_by(self, rules: Collection[str]) -> list[str]:
        """The images that one of these rules holds, at most 10,000."""
        found: list[str] = []
        images = self._states.in_state(State.QUARANTINED, limit=_MOST_HELD)
        for start in range(0, len(images), _PAGE):
            for digest, state in self._states.states(images[start : start + _PAGE]).items():
                refused = state.why.removeprefix(_REFUSED).split(", ") if state.why.startswith(_REFUSED) else ()
                if not set(rules).isdisjoint(refused):
                    found.append(digest)
        return found

    def release(self, image: Digest) -> bool:
        """Judge a held image again, because what rules held against it may be gone; whether it is approved now.

        What somebody holds or revoked by hand stays so.
        """
        state = self._states.state(image)
        if state is None or state.state is not State.QUARANTINED or state.who != _ACTOR:
            return False
        if not state.why.startswith(_REFUSED):
            return False
        decision = self._decide(image)
        if not decision.allowed or self.weakest(image) is not None:
            return False
        self._approve(image, self._indexes.repository_of(image), decision)
        return True

    def settle_indexes(self, member: Digest) -> None:
        """Let the indexes that list an image follow a move of it: held while it is not approved, judged when it is."""
        for index in self._indexes.indexes_with(member):
            known = self._states.state(index)
            if known is None or known.state is State.REVOKED:
                continue
            weakest = self.weakest(index)
            if weakest is not None and known.state is State.APPROVED:
                self._hold_for(index, *weakest)
            elif weakest is None and known.why.startswith(_FOR_MEMBER):
                self.admit(index, self._indexes.repository_of(index), Untold())

    def _judge_members(self, index: Digest, repository: str, telling: Telling) -> _Weakest | None:
        """Judge every image that an index lists; the first that counts and is not approved."""
        for member in self._indexes.members(index):
            image = Digest.parse(member.digest)
            state = self._states.state(image)
            if state is not None and state.state is State.QUARANTINED:
                telling.say(f"{member.platform or 'an image'} {image}")
                self.admit(image, repository, telling)
        return self.weakest(index)

    def weakest(self, index: Digest) -> _Weakest | None:
        """The first image of an index that counts and is not approved."""
        members = self._indexes.members(index, self._platforms)
        states = self._states.states([member.digest for member in members]) if members else {}
        for member in members:
            state = states.get(member.digest)
            # What has no state is nothing that an engine can run.
            if state is not None and state.state is not State.APPROVED:
                return member, state
        return None

    def _hold_for(self, index: Digest, member: Member, state: ImageState) -> State:
        """Hold an index because of one of its images."""
        why = f"{_FOR_MEMBER}{member.platform or 'no platform'}, {member.digest}, is {state.state}: {state.why}"
        with self._database.write() as tx:
            known = self._states.state_in(tx, index)
            if known is not None and known.state is State.REVOKED:
                return State.REVOKED
            return self._states.move(tx, index, State.QUARANTINED, who=_ACTOR, why=why, decision=state.decision).state

    def _decide(self, image: Digest) -> Decision:
        document = self._documents.of_image(image)
        subject = Subject.image(image)
        pushed = self._policy.decide("push", subject, document, actor=_ACTOR)
        if not pushed.allowed:
            return pushed
        return self._policy.decide("deploy", subject, document, actor=_ACTOR)

    def _prove_and_approve(self, image: Digest, repository: str, decision: Decision) -> State:
        known = self._states.state(image)
        if known is not None and known.state is State.REVOKED:
            return State.REVOKED
        if known is not None and known.state is State.APPROVED and self._attestations.is_signed(image, repository):
            return State.APPROVED
        return self._approve(image, repository, decision)

    def _approve(self, image: Digest, repository: str, decision: Decision) -> State:
        until = self._clock.now() + APPROVAL_LASTS
        self._attestations.sign(image, repository, actor=_ACTOR)
        self._attestations.attest(image, repository, CYCLONEDX, self._bill_of_materials.of(image), actor=_ACTOR)
        self._attestations.attest(image, repository, SCAN, self._documents.scan(image, self._version), actor=_ACTOR)
        approval = {"decision": decision.id, "rules": decision.pack, "approvedBy": _ACTOR}
        self._attestations.attest(image, repository, APPROVAL, approval, actor=_ACTOR, until=until)
        with self._database.write() as tx:
            self._states.move(
                tx, image, State.APPROVED, who=_ACTOR, why="every rule passed", decision=decision.id, until=until
            )
        return State.APPROVED

    def _hold(self, image: Digest, decision: Decision, *, unless_by_hand: bool = False) -> State:
        """Hold an image that rules refuse.

        Args:
            unless_by_hand: somebody may have approved it while it was judged, or before; that is theirs to decide.
        """
        why = _REFUSED + ", ".join(dict.fromkeys(item.rule for item in decision.violations))
        with self._database.write() as tx:
            known = self._states.state_in(tx, image)
            if known is not None and known.state is State.REVOKED:
                return State.REVOKED
            by_hand = known is not None and known.state is State.APPROVED and known.who != _ACTOR
            if unless_by_hand and by_hand:
                return State.APPROVED
            return self._states.move(tx, image, State.QUARANTINED, who=_ACTOR, why=why, decision=decision.id).state


def _counted(findings: list[Finding]) -> str:
    if not findings:
        return "no known flaw"
    counts: dict[str, int] = {}
    for item in findings:
        counts[item.severity.label] = counts.get(item.severity.label, 0) + 1
    shown = ", ".join(f"{count} {severity}" for severity, count in counts.items())
    return f"{len(findings)} findings ({shown}), {sum(bool(item.fixed) for item in findings)} with a fix"
