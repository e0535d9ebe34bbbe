"""An image that the server knows, as a scan result: so that its decisions come in the forms that pipelines read."""

from __future__ import annotations

from typing import Any

from lading.kernel.clock import Clock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import NotFound
from lading.kernel.subject import Subject
from lading.lifecycle.document import Documents
from lading.policy.decide import Policy
from lading.policy.decision import Decision
from lading.policy.document import read_document
from lading.supply_chain.advisories.feeds import Advisories
from lading.supply_chain.checks.weakness import KINDS, key_of
from lading.supply_chain.inventory.inventories import Inventories, told
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.report.result import Feed, Layer, ScanResult, Verdict, settings_of

_STAGES = ("push", "deploy")
_MOST_DECISIONS = 20
_GAPS = "inventory-complete"


class KnownImages:
    """Writes scan results of images in the registry."""

    def __init__(
        self,
        *,
        registry: Reading,
        inventories: Inventories,
        documents: Documents,
        advisories: Advisories,
        policy: Policy,
        clock: Clock,
        version: str,
    ) -> None:
        self._registry = registry
        self._inventories = inventories
        self._documents = documents
        self._advisories = advisories
        self._policy = policy
        self._clock = clock
        self._version = version

    def of(self, image: Digest, name: str) -> ScanResult:
        """An image with its last decision; raises NotInventoried."""
        recent = self._policy.recent(subject=Subject.image(image), limit=_MOST_DECISIONS)
        return self._result(image, name, next((one for one in recent if one.stage in _STAGES), None))

    def of_decision(self, identity: str) -> ScanResult:
        """The image that a decision was about, directly or as what a workload shall run.

        Raises:
            NotFound: there is no such decision, or it is about no image.
        """
        kept = self._policy.get(identity)
        image = read_document(kept.input).get("image")
        digest = str(image.get("digest", "")) if isinstance(image, dict) else ""
        if not digest:
            raise NotFound(f"Decision {identity} is about no image.", remedy=f"See `lading policy explain {identity}`.")
        return self._result(Digest.parse(digest), kept.decision.subject, kept.decision)

    def _result(self, image: Digest, name: str, decision: Decision | None) -> ScanResult:
        inventory = self._inventories.of(image)
        layers = tuple(Layer(digest=str(one.digest), size=one.size) for one in self._registry.layers(image))
        configuration = self._registry.config(image)
        return ScanResult(
            name=name,
            kind="registry",
            digest=str(image),
            made=decision.at if decision else timestamp(self._clock.now()),
            lading=self._version,
            inventory=inventory,
            platform="/".join(filter(None, (_text(configuration, "os"), _text(configuration, "architecture")))),
            configuration=settings_of(_part(configuration, "config")),
            layers=layers,
            size=sum(layer.size for layer in layers),
            findings=tuple(one.finding for one in self._documents.joined(image)),
            weaknesses=self._documents.checked(image),
            violations=decision.violations if decision else (),
            warnings=decision.warnings if decision else (),
            gaps=told(inventory.gaps),
            feeds=tuple(
                Feed(source=one.source, records=one.records, newest=one.newest, age_days=one.age_days)
                for one in self._advisories.status()
            ),
            verdict=_verdict(decision),
        )


def _verdict(decision: Decision | None) -> Verdict:
    if decision is None:
        return Verdict(passed=False, reasons=("nothing was decided about it yet",))
    items = [violation.item() for violation in decision.violations]
    return Verdict(
        passed=decision.allowed,
        reasons=tuple(dict.fromkeys(f"{one.rule}: {one.message}" for one in decision.violations)),
        counted=tuple(dict.fromkeys(key for key in map(_key, items) if key)),
        gaps_refuse=_GAPS in decision.denied_by,
    )


def _key(item: dict[str, Any]) -> str:
    """The key of the finding or weakness that a rule refused; empty when it refused something else."""
    if item.get("purl") and "id" in item:
        return f"{item['id']}@{item['purl']}"
    if item.get("kind") in KINDS and {"rule", "file", "line", "message"} <= item.keys():
        return key_of(item["rule"], item["file"], item["line"], item["message"])
    return ""


def _part(configuration: dict[str, Any], key: str) -> dict[str, Any]:
    found = configuration.get(key)
    return found if isinstance(found, dict) else {}


def _text(configuration: dict[str, Any], key: str) -> str:
    return str(configuration.get(key) or "")[:64]
