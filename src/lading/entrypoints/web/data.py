"""What the pages show, gathered for one viewer: only what their teams may read."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import msgspec

from lading.bill.words import words
from lading.entrypoints.web.finding_pages import FindingPages
from lading.entrypoints.web.pictures import coverage_grid, way
from lading.entrypoints.web.registry_pages import RegistryPages
from lading.identity import Operation, Principal
from lading.kernel.clock import timestamp
from lading.kernel.digest import Digest
from lading.strategy.analyse.coverage import report
from lading.supply_chain.registry.errors import Denied
from lading.wiring import Wiring


class ConsoleData:
    """Reads for one viewer."""

    def __init__(self, parts: Wiring, viewer: Principal) -> None:
        self._parts = parts
        self._viewer = viewer
        self.registry = RegistryPages(parts, viewer)
        self.findings = FindingPages(parts, viewer)

    def overview(self) -> dict[str, Any]:
        """What matters first."""
        workloads = self.workloads()
        refused, refused_count = self.registry.held_back(6)
        fixable = self._fixable(workloads)
        incidents = self.incidents()
        return {
            "incidents": incidents[:6],
            "incident_count": len(incidents),
            "workloads": workloads,
            "unhealthy": [row for row in workloads if row["state"] != "running"],
            "refused": refused,
            "refused_count": refused_count,
            "fixable": fixable[:8],
            "fixable_count": len(fixable),
            "events": self.events(limit=14),
        }

    def image(self, digest: str) -> dict[str, Any]:
        """One image; raises ManifestUnknown."""
        parts = self._parts
        parsed = Digest.parse(digest)
        row = next(item for item in parts.registry.images(digest=parsed, limit=1) or [self._unknown(parsed)])
        parts.identity.require(self._viewer, Operation.READ, row.team or "*", target=digest)
        bill = parts.bills.of(digest)
        findings = parts.documents.findings(parsed)
        return {
            "image": msgspec.to_builtins(row),
            "bill": bill,
            "findings": findings,
            "way_picture": way(self._way(bill.data)),
            "layers": parts.details.layers(digest),
            "members": self._members(parsed),
            "refusal": self._refusal(row.repository, parsed),
        }

    def _members(self, digest: Digest) -> list[dict[str, Any]]:
        """What an index lists, and where each stands."""
        members = self._parts.registry.members(digest)
        states = self._parts.states.states([member.digest for member in members])
        return [
            member._asdict() | {"state": str(found.state), "why": found.why}
            for member in members
            if (found := states.get(member.digest)) is not None
        ]

    def _refusal(self, repository: str, digest: Digest) -> str:
        """Why an image cannot be pulled; empty when it can."""
        try:
            self._parts.serving.check_manifest(repository, digest)
        except Denied as denied:
            return denied.what
        return ""

    def workloads(self) -> list[dict[str, Any]]:
        """Declared workloads with their containers, the ones that do not run first."""
        rows = []
        running = self._parts.deployments.containers()
        incidents = Counter(item["workload"] for item in self.incidents())
        for application in self._parts.deployments.applications():
            if not self._may(application.team):
                continue
            for spec in application.workloads:
                mine = [row for row in running if row.workload == spec.name]
                digest = spec.image.rpartition("@")[2]
                rows.append(
                    {
                        "name": spec.name,
                        "team": spec.team,
                        "image": digest,
                        "wanted": spec.replicas,
                        "running": len(mine),
                        "state": "running" if len(mine) >= spec.replicas else "degraded",
                        "health": ", ".join(sorted({row.health or "no check" for row in mine})) or "–",
                        "node": ", ".join(sorted({row.node for row in mine})),
                        "relaxations": list(spec.relaxations),
                        "incidents": incidents.get(spec.name, 0),
                        "severities": self._severities(digest),
                    }
                )
        return sorted(rows, key=lambda row: (row["state"] == "running", -row["incidents"], row["name"]))

    def bill(self, subject: str) -> dict[str, Any]:
        """The bill of a subject, with the picture of its way."""
        bill = self._parts.bills.of(subject)
        self._parts.identity.require(self._viewer, Operation.READ, bill.team or "*", target=bill.subject)
        return {"bill": bill, "way_picture": way(self._way(bill.data))}

    def incidents(self, *, every: bool = False) -> list[dict[str, Any]]:
        """Incidents, open and worst first."""
        found = self._parts.incidents.list(every=every, limit=500)
        return [msgspec.to_builtins(item) for item in found if self._may(item.team)]

    def incident(self, identity: str) -> dict[str, Any]:
        """One incident."""
        found = self._parts.incidents.get(identity)
        self._parts.identity.require(self._viewer, Operation.READ, found.team or "*", target=identity)
        return dict(msgspec.to_builtins(found))

    def close_incident(self, identity: str, why: str) -> None:
        """Close an incident."""
        found = self._parts.incidents.get(identity)
        self._parts.identity.require(self._viewer, Operation.RESPOND, found.team or "*", target=identity)
        self._parts.incidents.close(identity, who=self._viewer.id, why=why)

    def strategy(self) -> dict[str, Any]:
        """Coverage of capabilities."""
        made = report(self._parts.database, self._parts.clock)
        cells = [{"id": row.id, "area": row.area, "title": row.title, "coverage": row.coverage} for row in made.rows]
        return {"report": made, "grid": coverage_grid(cells)}

    def events(self, *, after: int = 0, limit: int = 20) -> list[dict[str, Any]]:
        """The youngest facts in words, youngest first."""
        with self._parts.database.read() as tx:
            entries = self._parts.ledger.read(tx, after=after, limit=limit, newest_first=True)
        return [
            {"seq": entry.seq, "at": timestamp(entry.at), "subject": str(entry.subject), "words": words(entry.fact)}
            for entry in entries
        ]

    def head(self) -> int:
        """The number of the last entry of the ledger."""
        with self._parts.database.read() as tx:
            return self._parts.ledger.head(tx).seq

    def metrics(self, workload: str) -> list[dict[str, Any]]:
        """CPU and memory of a workload in the last quarter of an hour."""
        self._of_workload(workload)
        since = self._parts.clock.now() - timedelta(minutes=15)
        rows = self._parts.telemetry.metrics(workload, since=since, step=timedelta(seconds=5))
        return [row._asdict() for row in rows]

    def logs(self, workload: str) -> list[dict[str, Any]]:
        """The last lines of a workload."""
        self._of_workload(workload)
        return [row._asdict() for row in self._parts.telemetry.logs(workload, limit=80)]

    def _of_workload(self, workload: str) -> None:
        rows = self._parts.deployments.containers(running_only=False, workload=workload)
        team = rows[0].team if rows else "*"
        self._parts.identity.require(self._viewer, Operation.READ, team or "*", target=workload)

    def _fixable(self, workloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Flaws with a fix in what runs, worst first."""
        found = []
        for workload in workloads:
            for item in self._parts.findings.of(Digest.parse(workload["image"])) if workload["running"] else ():
                if item.fixed:
                    row = {"workload": workload["name"], "team": workload["team"], **msgspec.to_builtins(item)}
                    found.append((item.severity, row | {"severity": item.severity.label}))
        return [row for _, row in sorted(found, key=lambda pair: pair[0], reverse=True)]

    def _severities(self, digest: str) -> dict[str, int]:
        if not digest.startswith("sha"):
            return {}
        return self._parts.findings.counts([digest])[digest].by_severity

    def _way(self, data: dict[str, Any]) -> dict[str, str]:
        image, container = data.get("image", {}), data.get("container", {})
        built = "image.built" in image or "image.base-made" in image
        state = image.get("image.moved", {}).get("after", "")
        judged = {"approved": "ok", "quarantined": "bad", "revoked": "bad"}.get(state, "unknown")
        return {
            "source": "ok" if built else "unknown",
            "build": "ok" if built else "unknown",
            "push": "ok" if "image.pushed" in image else "unknown",
            "inventory": "ok" if "image.inventoried" in image else "unknown",
            "decide": judged,
            "sign": "ok" if state == "approved" else "unknown",
            "run": "now" if container and "container.stopped" not in container else "unknown",
        }

    def _may(self, team: str) -> bool:
        return self._parts.identity.may(self._viewer, Operation.READ, team)

    def _unknown(self, digest: Digest) -> Any:
        self._parts.registry.repository_of(digest)
        return None
