"""From pushed to approved: inventory, match, decide, prove, approve.

Two questions are asked: may this image be in the registry at all (stage "push"), and could it be deployed (stage
"deploy", without a workload)? Only when both are answered yes is it signed and approved; an image that is approved
already and fails now loses its approval.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from lading.facts import Ledger
from lading.kernel.clock import Clock
from lading.kernel.digest import Digest
from lading.kernel.subject import Subject
from lading.lifecycle.document import Documents
from lading.lifecycle.telling import Telling
from lading.policy.decide import Policy
from lading.policy.decision import Decision
from lading.state import Database
from lading.supply_chain.attest.attestations import Attestations
from lading.supply_chain.attest.statement import APPROVAL, CYCLONEDX, PROVENANCE
from lading.supply_chain.inventory.inventories import Inventories
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.findings import Findings
from lading.supply_chain.registry.states import ImageStates, State

APPROVAL_LASTS: Final = timedelta(days=90)
_ACTOR: Final = "system:admission"


class BillOfMaterials(Protocol):
    """Writes what is in an image as CycloneDX."""

    def of(self, image: Digest) -> dict[str, Any]:
        """The document; raises NotInventoried."""
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
    """Judges images."""

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
        clock: Clock,
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
        self._clock = clock

    def admit(
        self, image: Digest, repository: str, telling: Telling, provenance: dict[str, Any] | None = None
    ) -> Verdict:
        """Judge an image and move it to the state it deserves; judging it again is harmless.

        Args:
            provenance: how it was made, when Lading made it; attested before the decision, which looks for it.
        """
        inventory = self._inventories.take(image)
        ecosystems = ", ".join(f"{count} {name}" for name, count in sorted(inventory.ecosystems.items()))
        telling.say(f"inventory: {len(inventory.packages)} packages ({ecosystems or 'none'}), {inventory.files} files")
        findings = self._findings.match_image(image, inventory)
        telling.say(f"match: {_counted(findings)}")
        if provenance is not None:
            self._attestations.attest(image, repository, PROVENANCE, provenance, actor=_ACTOR)
        decision = self._decide(image)
        state = (
            self._prove_and_approve(image, repository, decision) if decision.allowed else self._hold(image, decision)
        )
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
        until = self._clock.now() + APPROVAL_LASTS
        if known is not None and known.state is State.APPROVED and self._attestations.is_signed(image, repository):
            return State.APPROVED
        self._attestations.sign(image, repository, actor=_ACTOR)
        self._attestations.attest(image, repository, CYCLONEDX, self._bill_of_materials.of(image), actor=_ACTOR)
        approval = {"decision": decision.id, "rules": decision.pack, "approvedBy": _ACTOR}
        self._attestations.attest(image, repository, APPROVAL, approval, actor=_ACTOR, until=until)
        with self._database.write() as tx:
            self._states.move(
                tx, image, State.APPROVED, who=_ACTOR, why="every rule passed", decision=decision.id, until=until
            )
        return State.APPROVED

    def _hold(self, image: Digest, decision: Decision) -> State:
        why = "refused by " + ", ".join(dict.fromkeys(item.rule for item in decision.violations))
        with self._database.write() as tx:
            known = self._states.state_in(tx, image)
            if known is not None and known.state is State.REVOKED:
                return State.REVOKED
            return self._states.move(tx, image, State.QUARANTINED, who=_ACTOR, why=why, decision=decision.id).state


def _counted(findings: list[Finding]) -> str:
    if not findings:
        return "no known flaw"
    counts: dict[str, int] = {}
    for item in findings:
        counts[item.severity.label] = counts.get(item.severity.label, 0) + 1
    shown = ", ".join(f"{count} {severity}" for severity, count in counts.items())
    return f"{len(findings)} findings ({shown}), {sum(bool(item.fixed) for item in findings)} with a fix"
