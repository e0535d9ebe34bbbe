"""What rules see of an image and a workload: the policy input, gathered from the rooms that know (docs/policy.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from lading.kernel.clock import Clock, timestamp
from lading.kernel.digest import Digest
from lading.orchestration.workload.spec import WorkloadSpec
from lading.supply_chain.attest.attestations import Attestations
from lading.supply_chain.checks.checking import Checking
from lading.supply_chain.checks.licences import licence_documents
from lading.supply_chain.checks.weakness import Weakness
from lading.supply_chain.foreign.reports import Reports
from lading.supply_chain.inventory.errors import NotInventoried
from lading.supply_chain.inventory.inventories import Inventories, told
from lading.supply_chain.inventory.values import Package
from lading.supply_chain.lineage.lineages import Lineages
from lading.supply_chain.lineage.values import Base
from lading.supply_chain.match.findings import Findings
from lading.supply_chain.match.joining import Joined, join
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.states import StateReader

BASE_LABEL = "lading.base"
DIRTY_LABEL = "lading.source.dirty"


class Owners(Protocol):
    """Whose a layer is."""

    def owner(self, layer: str) -> str:
        """The team that brought a layer; empty when nobody knows."""
        ...


class Feed(Protocol):
    """A feed that was taken in."""

    @property
    def newest(self) -> str:
        """The time of its youngest record, RFC 3339."""
        ...


class Feeds(Protocol):
    """What is publicly known, and how old that is."""

    def stale(self) -> list[dict[str, Any]]:
        """`source`, `age_days`, `stale_days` and `error` of every feed that is older than it should be."""
        ...

    def status(self) -> Sequence[Feed]:
        """Every feed that was taken in."""
        ...

    def speaks_of(self, ecosystems: Sequence[str]) -> set[str]:
        """Those of the ecosystems about which any advisory is known."""
        ...


class Documents:
    """Writes policy inputs."""

    def __init__(
        self,
        registry: Reading,
        states: StateReader,
        inventories: Inventories,
        findings: Findings,
        attestations: Attestations,
        owners: Owners,
        clock: Clock,
        feeds: Feeds,
        reports: Reports,
        checking: Checking,
        lineages: Lineages,
    ) -> None:
        self._registry = registry
        self._states = states
        self._inventories = inventories
        self._findings = findings
        self._attestations = attestations
        self._owners = owners
        self._clock = clock
        self._feeds = feeds
        self._reports = reports
        self._checking = checking
        self._lineages = lineages

    def of_image(self, image: Digest, environment: str = "production") -> dict[str, Any]:
        """The document about an image."""
        about = self._image(image)
        return {
            "now": timestamp(self._clock.now()),
            "environment": environment,
            "image": about,
            "findings": self.findings(image),
            "weaknesses": self.weaknesses(image, about["team"]),
            "licences": self.licences(image),
            "stale_feeds": self._feeds.stale(),
            "unspoken": self.unspoken(image),
            "set_aside": self.findings(image, set_aside=True),
            "reports": self._reports.document(image),
        }

    def findings(self, image: Digest, *, set_aside: bool = False) -> list[dict[str, Any]]:
        """The findings of an image, ours and those that other tools reported, worst first: what counts, or what a VEX
        statement sets aside."""
        found = self.joined(image, set_aside=set_aside)
        teams = {layer: self._owners.owner(layer) for layer in {one.finding.layer for one in found}}
        return [one.document(teams[one.finding.layer]) for one in found]

    def scan(self, image: Digest, version: str) -> dict[str, Any]:
        """The findings of an image as a statement (in-toto, predicate "Vulnerabilities"): what counts, and by what."""
        now = timestamp(self._clock.now())
        feeds = self._feeds.status()
        result = [
            {"id": one["id"], "severity": [{"method": "label", "score": one["severity"]}], "component": one["purl"]}
            for one in self.findings(image)
        ]
        newest = max((feed.newest for feed in feeds), default="")
        known = {"uri": "urn:lading:advisories"} | ({"lastUpdate": newest} if newest else {})
        return {
            "scanner": {"uri": "urn:lading", "version": version, "db": known, "result": result},
            "metadata": {"scanStartedOn": now, "scanFinishedOn": now},
        }

    def unspoken(self, image: Digest) -> list[dict[str, Any]]:
        """The ecosystems of an image of which no advisory is known, so that their packages were not judged."""
        try:
            counts = self._inventories.of(image).ecosystems
        except NotInventoried:
            return []
        known = self._feeds.speaks_of(sorted(counts))
        return [{"ecosystem": one, "packages": counts[one]} for one in sorted(counts) if one not in known]

    def weaknesses(self, image: Digest, team: str) -> list[dict[str, Any]]:
        """The weaknesses of an image, worst first; what no layer brought is its team's."""
        found = self.checked(image)
        owners = {"": team} | {layer: self._owners.owner(layer) for layer in {one.layer for one in found if one.layer}}
        return [one.document(owners[one.layer]) for one in found]

    def checked(self, image: Digest) -> tuple[Weakness, ...]:
        """The same as values."""
        return self._checking.of(image)

    def licences(self, image: Digest) -> list[dict[str, Any]]:
        """The licences of an image's packages; none of one that was not inventoried."""
        try:
            return licence_documents(self._inventories.of(image))
        except NotInventoried:
            return []

    def joined(self, image: Digest, *, set_aside: bool = False) -> list[Joined]:
        """The same as values. What is set aside stays so when another tool reports it too."""
        own, told = self._findings.all_of(image), self._reports.told(image)
        found = join(own, told, self._packages(image) if told else ())
        return [one for one in found if one.finding.is_set_aside == set_aside]

    def _packages(self, image: Digest) -> tuple[Package, ...]:
        try:
            return self._inventories.of(image).packages
        except NotInventoried:
            return ()

    def of_workload(self, spec: WorkloadSpec, image: Digest, environment: str) -> dict[str, Any]:
        """The document about a workload that shall run an image."""
        return self.of_image(image, environment) | {"workload": spec.policy_input(str(image))}

    def _image(self, image: Digest) -> dict[str, Any]:
        row = next(iter(self._registry.images(digest=image, limit=1)), None)
        configuration = self._registry.config(image).get("config") or {}
        labels = configuration.get("Labels") or {}
        state = self._states.state(image)
        base, _, base_digest = str(labels.get(BASE_LABEL, "")).partition("@")
        return {
            "digest": str(image),
            "repository": row.repository if row else "",
            "tag": row.tags[0] if row and row.tags else "",
            "team": row.team if row else "",
            "commit": row.commit if row else "",
            "dirty": labels.get(DIRTY_LABEL) == "true",
            "size": row.size if row else 0,
            "state": state.state if state else "unknown",
            "signed": bool(row) and self._attestations.is_signed(image, row.repository if row else ""),
            "attestations": self._attestations.predicate_types(image, row.repository if row else ""),
            "user": str(configuration.get("User") or ""),
            "gaps": self._gaps(image),
            "base": (self._lineages.of(image) or Base()).document(base, base_digest),
        }

    def _gaps(self, image: Digest) -> list[str]:
        try:
            return list(told(self._inventories.of(image).gaps))
        except NotInventoried as error:
            return [error.what]
