"""The bill follows the ledger: what each fact adds to what is known of its subject and of its relatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lading.bill import sql
from lading.facts import Entry
from lading.facts.kinds import lifecycle, orchestration, runtime_security, supply_chain
from lading.kernel.clock import timestamp
from lading.state import Transaction

_KINDS = (
    supply_chain.BaseImageMade,
    supply_chain.ImageBuilt,
    supply_chain.ImagePushed,
    supply_chain.ImageUnattributed,
    supply_chain.ImageInventoried,
    supply_chain.FindingsChanged,
    supply_chain.ImageMoved,
    supply_chain.OwnerChanged,
    lifecycle.ShipStarted,
    orchestration.WorkloadDeclared,
    orchestration.DeploymentFinished,
    orchestration.WorkloadRemoved,
    orchestration.ContainerStarted,
    orchestration.ContainerHealthChanged,
    orchestration.ContainerStopped,
    runtime_security.PostureAssessed,
)


class BillFollower:
    """Keeps the bill's projection."""

    name = "bill"
    kinds: Sequence[str] | None = tuple(kind.kind() for kind in _KINDS)

    def apply(self, tx: Transaction, entries: Sequence[Entry]) -> None:
        """Add what `entries` say; adding it twice changes nothing."""
        for entry in entries:
            self._take(tx, entry)

    def _take(self, tx: Transaction, entry: Entry) -> None:
        fact = entry.fact
        if isinstance(fact, supply_chain.ImagePushed) and (fact.refers_to or fact.artifact_type):
            return
        subject = str(entry.subject)
        known: dict[str, Any] = msgspec.json.decode(sql.body_of(tx, subject) or b"{}")
        kind = fact.kind()
        known[kind] = msgspec.to_builtins(fact) | {"at": timestamp(entry.at), "actor": entry.actor}
        name, team = _name(subject, known), _team(known)
        sql.keep(tx, subject, name=name, team=team, body=msgspec.json.encode(known), seq=entry.seq)
        self._relate(tx, subject, entry)

    def _relate(self, tx: Transaction, subject: str, entry: Entry) -> None:
        fact, seq = entry.fact, entry.seq
        match fact:
            case supply_chain.ImageBuilt(bases=bases):
                for base in bases.values():
                    sql.relate(tx, subject, f"image:{base}", "base", seq)
            case orchestration.WorkloadDeclared(image=image):
                digest = image.rpartition("@")[2]
                sql.relate(tx, subject, f"image:{digest}", "image", seq)
            case orchestration.ContainerStarted(workload=workload, image=image):
                sql.relate(tx, f"workload:{workload}", subject, "container", seq)
                sql.relate(tx, subject, f"workload:{workload}", "workload", seq)
                sql.relate(tx, subject, f"image:{image}", "image", seq)
                sql.relate(tx, f"image:{image}", subject, "container", seq)


def _name(subject: str, known: dict[str, Any]) -> str:
    kind, _, identity = subject.partition(":")
    if kind == "container":
        return str(known.get("container.started", {}).get("name", identity[:12]))
    if kind == "image":
        pushed = known.get("image.pushed", {})
        tag = f":{pushed['tag']}" if pushed.get("tag") else ""
        return f"{pushed['repository']}{tag}" if pushed else identity
    return identity


def _team(known: dict[str, Any]) -> str:
    for kind in ("image.owner-changed", "image.pushed", "workload.declared", "container.started", "ship.started"):
        if team := known.get(kind, {}).get("team"):
            return str(team)
    return ""
