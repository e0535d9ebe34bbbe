"""What the bill and lists show of images and workloads, gathered from the rooms that know."""

from __future__ import annotations

from typing import Any

import msgspec

from lading.kernel.clock import Clock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.subject import Subject
from lading.lifecycle.document import Documents
from lading.observability.query.telemetry import Telemetry
from lading.orchestration.rollout.deployments import Deployments
from lading.policy.decide import Policy
from lading.runtime_security.judge.incidents import Incidents
from lading.supply_chain.advisories.feeds import Advisories
from lading.supply_chain.attest.attestations import Attestations
from lading.supply_chain.foreign.reports import KeptReport, Reports
from lading.supply_chain.inventory.errors import NotInventoried
from lading.supply_chain.inventory.inventories import Inventories, told
from lading.supply_chain.lineage.lineages import Lineages
from lading.supply_chain.registry.reading import Reading


class ImageDetails:
    """Details of images."""

    def __init__(
        self,
        registry: Reading,
        inventories: Inventories,
        documents: Documents,
        attestations: Attestations,
        policy: Policy,
        reports: Reports,
        advisories: Advisories,
        lineages: Lineages,
    ) -> None:
        self._registry = registry
        self._inventories = inventories
        self._documents = documents
        self._attestations = attestations
        self._policy = policy
        self._reports = reports
        self._advisories = advisories
        self._lineages = lineages

    def findings(self, image: str) -> list[dict[str, Any]]:
        return self._documents.findings(Digest.parse(image)) if image else []

    def set_aside(self, image: str) -> list[dict[str, Any]]:
        return self._documents.findings(Digest.parse(image), set_aside=True) if image else []

    def stale_feeds(self) -> list[dict[str, Any]]:
        return self._advisories.stale()

    def packages(self, image: str) -> dict[str, Any]:
        inventory = self._inventories.of(Digest.parse(image))
        return {
            "total": len(inventory.packages),
            "ecosystems": inventory.ecosystems,
            "gaps": list(told(inventory.gaps)),
            "unspoken": self._documents.unspoken(Digest.parse(image)),
        }

    def weaknesses(self, image: str) -> list[dict[str, Any]]:
        row = next(iter(self._registry.images(digest=Digest.parse(image), limit=1)), None)
        return self._documents.weaknesses(Digest.parse(image), row.team if row else "")

    def lineage(self, image: str) -> dict[str, Any]:
        digest = Digest.parse(image)
        line = [msgspec.structs.asdict(base) for base in self._lineages.line(digest)]
        return {"line": line, "built_on_it": self._lineages.count_on(digest)}

    def package_count(self, image: str) -> int | None:
        """How many packages; None when no inventory was taken."""
        try:
            return len(self._inventories.of(Digest.parse(image)).packages)
        except NotInventoried:
            return None

    def layers(self, image: str) -> list[dict[str, Any]]:
        shown = []
        for layer in self._registry.layers(Digest.parse(image)):
            origin = self._registry.origin(layer.digest)
            shown.append(
                {
                    "digest": str(layer.digest),
                    "size": layer.size,
                    "packages": self._layer_packages(layer.digest),
                    "team": origin.team if origin else "",
                    "origin": origin.repository if origin else "",
                }
            )
        return shown

    def attestations(self, image: str) -> list[dict[str, Any]]:
        digest = Digest.parse(image)
        repository = self._registry.repository_of(digest)
        found = [one for one in self._attestations.check(digest, repository) if one.what != "claim"]
        return [
            {
                "predicate_type": "signature" if one.is_signature else one.predicate_type,
                "key_id": one.signer,
                "until": one.until,
                "problem": one.problem,
            }
            for one in sorted(found, key=lambda one: not one.is_signature)
        ]

    def reports(self, image: str) -> list[dict[str, Any]]:
        return [report_row(kept) for kept in self._reports.of(Digest.parse(image))] if image else []

    def decisions(self, subjects: list[str]) -> list[dict[str, Any]]:
        shown = []
        for subject in dict.fromkeys(subjects):
            youngest: dict[str, Any] = {}
            for item in self._policy.recent(subject=Subject.parse(subject), limit=20):
                youngest.setdefault(item.stage, item)
            shown += [
                {
                    "id": item.id,
                    "stage": item.stage,
                    "subject": subject,
                    "allowed": item.allowed,
                    "at": item.at,
                    "reasons": list(dict.fromkeys(one.rule for one in item.violations))[:4],
                }
                for item in youngest.values()
            ]
        return sorted(shown, key=lambda row: str(row["at"]))

    def _layer_packages(self, layer: Digest) -> int | None:
        try:
            return self._inventories.layer(layer).package_count
        except NotInventoried:
            return None


def report_row(kept: KeptReport) -> dict[str, Any]:
    """A report as lists show it: what it came to, in one text."""
    report = kept.report
    counts: dict[str, int] = {}
    for one in sorted(report.results, key=lambda one: -one.severity):
        counts[one.severity.label] = counts.get(one.severity.label, 0) + 1
    said = ", ".join(f"{count} {severity}" for severity, count in counts.items()) or "nothing wrong"
    if (tests := report.tests) is not None:
        said = f"{tests.failed + tests.errors} of {tests.total} tests failed, {tests.skipped} skipped"
    elif report.kind == "inventory":
        said = f"{report.components} components"
    return {
        "tool": report.tool,
        "version": report.version,
        "kind": report.kind,
        "form": report.form,
        "configuration": report.configuration,
        "said": said,
        "seconds": report.seconds,
        "at": kept.at,
        "actor": kept.actor,
        "current": kept.current,
        "attestation": kept.attestation,
        "content": kept.content,
        "repeated": kept.repeated,
    }


class WorkloadDetails:
    """Details of what runs."""

    def __init__(self, deployments: Deployments, incidents: Incidents, telemetry: Telemetry, clock: Clock) -> None:
        self._deployments = deployments
        self._incidents = incidents
        self._telemetry = telemetry
        self._clock = clock

    def containers(self, workload: str) -> list[dict[str, Any]]:
        rows = self._deployments.containers(running_only=False, workload=workload)
        return [msgspec.to_builtins(row) for row in rows]

    def incidents(self, workload: str) -> list[dict[str, Any]]:
        return [msgspec.to_builtins(item) for item in self._incidents.list(every=True, workload=workload, limit=50)]

    def logs(self, workload: str) -> list[dict[str, Any]]:
        return [row._asdict() | {"at": _moment(row.at)} for row in self._telemetry.logs(workload, limit=20)]

    def metrics(self, workload: str) -> list[dict[str, Any]]:
        summary = self._telemetry.summary(workload, now=self._clock.now(), lines=1)
        return [row._asdict() | {"at": _moment(row.at)} for row in summary[1]]


def _moment(at: Any) -> str:
    return at if isinstance(at, str) else timestamp(at)
