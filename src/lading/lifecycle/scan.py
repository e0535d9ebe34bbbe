"""From a target to a verdict, without a server: open, read every layer once, merge, match, judge.

The same inventory, matching and rules as a server's; only owners of layers and what was pushed are not known here.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final, Literal, Protocol, cast

import msgspec

from lading.kernel.clock import Clock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.subject import Subject
from lading.lifecycle.telling import Telling
from lading.policy.decision import Violation
from lading.policy.document import canonical_document
from lading.policy.errors import PolicyEmpty
from lading.policy.evaluate import evaluate
from lading.policy.pack import Pack
from lading.policy.rule import Stage
from lading.supply_chain.checks.declared import FilesChecked, check_sources
from lading.supply_chain.checks.declared.walking import Walk
from lading.supply_chain.checks.gathering import CHECKS, Check, gather, worst_first
from lading.supply_chain.checks.licences import licence_documents
from lading.supply_chain.checks.target import Of, Target
from lading.supply_chain.checks.weakness import KINDS, Kind
from lading.supply_chain.foreign.reports import document_of
from lading.supply_chain.inventory.inventories import told
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.limits import DEFAULT
from lading.supply_chain.inventory.merge import merge
from lading.supply_chain.inventory.sboms import read_sbom
from lading.supply_chain.inventory.source import LayerRef
from lading.supply_chain.inventory.values import ImageInventory, LayerInventory
from lading.supply_chain.lineage.values import Base
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.match.vex.statement import Statement
from lading.supply_chain.report.as_json import from_json
from lading.supply_chain.report.result import Feed, Layer, ScanResult, settings_of
from lading.supply_chain.scan.directory import DirectoryTar
from lading.supply_chain.scan.errors import TargetUnreadable
from lading.supply_chain.scan.files import accepted_in_files
from lading.supply_chain.scan.gate import Gate, judge
from lading.supply_chain.scan.ignoring import Ignored, sort_out, sort_out_weaknesses
from lading.supply_chain.scan.image import OpenedImage
from lading.supply_chain.scan.layer_cache import LayerCache
from lading.supply_chain.scan.opening import Access, kind_of, open_target
from lading.supply_chain.scan.vex import set_aside

LookedFor = Literal["flaw"] | Kind
FLAW: Final = "flaw"
MISCONFIGURATION: Final = "misconfiguration"
EVERYTHING: Final[tuple[LookedFor, ...]] = (FLAW, *KINDS)
_STAGES: Final[tuple[Stage, ...]] = ("push", "deploy")
_MOST_SBOM: Final = 1 << 30
_READ_AT_ONCE: Final = 1 << 20


class Judges(Protocol):
    """Who knows of flaws."""

    def judge(self, inventory: ImageInventory) -> list[Finding]:
        """The findings of an inventory, worst first."""
        ...

    def feeds(self) -> tuple[Feed, ...]:
        """What that knowledge comes from."""
        ...

    def unspoken(self, inventory: ImageInventory) -> tuple[str, ...]:
        """Gaps: of which ecosystems of the inventory nothing is known."""
        ...


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for: how targets are reached, what was accepted or set aside, by which rules, and what refuses.

    `team` and `environment` are what rules are told, because nobody else says so here. `kinds` are what is looked for;
    rules judge what was found, so they go with all kinds only.
    """

    access: Access = field(default_factory=Access)
    ignored: Sequence[Ignored] = ()
    vex: Sequence[Statement] = ()
    rules: Pack | None = None
    gate: Gate = field(default_factory=Gate)
    kinds: Collection[LookedFor] = EVERYTHING
    team: str = ""
    environment: str = "production"


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A target as it was read, before anything was judged."""

    name: str
    kind: str
    digest: str
    inventory: ImageInventory
    platform: str = ""
    configuration: dict[str, Any] = field(default_factory=dict)
    of: Of = "image"
    layers: tuple[Layer, ...] = ()
    gaps: tuple[str, ...] = ()
    declared: FilesChecked = field(default_factory=FilesChecked)


class Scans:
    """Scans targets."""

    def __init__(
        self,
        *,
        judges: Judges,
        cache: LayerCache,
        clock: Clock,
        version: str,
        checks: Sequence[Check] = CHECKS,
    ) -> None:
        self._judges = judges
        self._cache = cache
        self._clock = clock
        self._version = version
        self._checks = checks

    def scan(self, target: str, order: Order, telling: Telling, name: str = "") -> ScanResult:
        """Scan a target.

        Args:
            target: a path, a reference, or one of them after `registry:`, `engine:`, `dir:` and the like.
            name: what the result calls it; the target itself when empty.

        Raises:
            ScanError, RegistryError, SbomInvalid: the target does not exist, cannot be read or is malformed.
            PolicyEmpty: rules were given that say nothing about images.
        """
        kind, rest = kind_of(target)
        telling.step(f"Read {name or rest}")
        if kind == "scan":
            return from_json(_content(Path(rest)), rest)
        if kind == "sbom":
            read = self._sbom(Path(rest))
        elif kind == "dir":
            read = self._directory(Path(rest), telling)
        else:
            with open_target(kind, rest, order.access) as image:
                read = self._image(image, telling)
        telling.step("Match")
        return self._judged(read, order, name or read.name)

    # Reading

    def _sbom(self, path: Path) -> _Read:
        inventory = read_sbom(_content(path), str(path))
        return _Read(
            name=str(path),
            kind="sbom",
            of="sbom",
            digest=inventory.image,
            inventory=inventory,
            gaps=told(inventory.gaps),
        )

    def _directory(self, path: Path, telling: Telling) -> _Read:
        try:
            stream = DirectoryTar(path)
        except OSError as error:
            raise TargetUnreadable(f"{path} cannot be read: {error.strerror}.", remedy="Name a directory.") from error
        layer = read_layer("", cast("IO[bytes]", stream))
        while stream.read(_READ_AT_ONCE):
            continue
        layer = msgspec.structs.replace(layer, layer=stream.digest, gaps=(*layer.gaps, *stream.gaps))
        telling.say(f"{layer.file_count} entries, {layer.bytes_read / 1e6:.1f} MB")
        inventory = merge(stream.digest, [layer])
        more = (f"and {stream.unread} more files could not be read",) if stream.unread else ()
        return _Read(
            name=str(path),
            kind="directory",
            of="directory",
            digest=stream.digest,
            inventory=inventory,
            layers=(Layer(digest=stream.digest, size=stream.size),),
            gaps=(*told(inventory.gaps), *more),
            # The root of a system has files of its packages' documentation, which declare nothing.
            declared=FilesChecked() if inventory.distribution else _declared(path),
        )

    def _image(self, image: OpenedImage, telling: Telling) -> _Read:
        refs = image.layers[: DEFAULT.layers]
        layers = [self._layer(image, ref, telling) for ref in refs]
        inventory = merge(str(image.digest), layers, unread=len(image.layers) - len(refs))
        return _Read(
            name=image.name,
            kind=image.kind,
            digest=str(image.digest),
            inventory=inventory,
            platform=image.platform,
            configuration=image.configuration,
            layers=tuple(Layer(digest=str(ref.digest), size=ref.size) for ref in image.layers),
            gaps=(*told(inventory.gaps), *image.notes),
        )

    def _layer(self, image: OpenedImage, ref: LayerRef, telling: Telling) -> LayerInventory:
        known = self._cache.find(ref.digest)
        if known is not None:
            telling.say(f"layer {ref.digest.short}: known", "detail")
            return known
        with image.open(ref) as blob:
            found = read_layer(str(ref.digest), blob)
        # Only now is it known that the bytes were those of the digest.
        self._cache.keep(ref.digest, found)
        telling.say(f"layer {ref.digest.short}: {found.file_count} entries, {found.package_count} packages")
        return found

    # Judging

    def _judged(self, read: _Read, order: Order, name: str) -> ScanResult:
        now = self._clock.now()
        flaws = self._judges.judge(read.inventory) if FLAW in order.kinds else []
        flaws, aside = set_aside(read.digest, name, flaws, order.vex)
        findings, accepted, lapsed = sort_out(flaws, order.ignored, _day(now))
        target = Target(of=read.of, inventory=read.inventory, at=now, configuration=read.configuration)
        found = (*gather(target, self._checks), *read.declared.weaknesses)
        weak = sorted((one for one in found if one.kind in order.kinds), key=worst_first)
        weaknesses, tolerated, lapsed_too = sort_out_weaknesses(weak, order.ignored, _day(now))
        if MISCONFIGURATION in order.kinds:
            tolerated += accepted_in_files(read.declared)
            lapsed_too += (*read.declared.notes, *read.declared.gaps)
        unspoken = self._judges.unspoken(read.inventory) if FLAW in order.kinds else ()
        result = ScanResult(
            name=name,
            kind=read.kind,
            digest=read.digest,
            made=timestamp(now),
            lading=self._version,
            inventory=read.inventory,
            platform=read.platform,
            configuration=settings_of(target.settings),
            layers=read.layers,
            size=sum(layer.size for layer in read.layers),
            findings=findings,
            accepted=(*accepted, *aside),
            lapsed=tuple(dict.fromkeys((*lapsed, *lapsed_too))),
            weaknesses=weaknesses,
            accepted_weaknesses=tolerated,
            gaps=(*read.gaps, *unspoken),
            feeds=self._judges.feeds(),
        )
        if order.rules is not None:
            violations, warnings = _by_rules(
                order.rules, _document(result, target, order), read.digest, now, self._clock
            )
            result = msgspec.structs.replace(result, violations=violations, warnings=warnings)
        return judge(result, order.gate)


def _by_rules(
    rules: Pack, document: dict[str, Any], digest: str, now: datetime.datetime, clock: Clock
) -> tuple[tuple[Violation, ...], tuple[Violation, ...]]:
    """What rules about pushing and deploying an image say, each rule once."""
    stages = [stage for stage in _STAGES if rules.of_stage(stage)]
    if not stages:
        raise PolicyEmpty(
            "None of these rules speaks about the stage push or deploy, so they would let everything pass.",
            remedy="Write `stages: [push]` or `stages: [deploy]` into those that judge images.",
        )
    refused: dict[tuple[str, str], Violation] = {}
    warned: dict[tuple[str, str], Violation] = {}
    for stage in stages:
        seen, _ = canonical_document(document | {"stage": stage})
        outcome = evaluate(rules, stage, seen, subject=Subject.image(Digest.parse(digest)), at=now, clock=clock)
        refused |= {(one.rule, one.message): one for one in outcome.violations}
        warned |= {(one.rule, one.message): one for one in outcome.warnings}
    return tuple(refused.values()), tuple(warned.values())


def _document(result: ScanResult, target: Target, order: Order) -> dict[str, Any]:
    """What rules see, as far as it is known without a registry (docs/policy.md)."""
    return {
        "now": result.made,
        "environment": order.environment,
        "image": {
            "digest": result.digest,
            "repository": result.name,
            "tag": "",
            "team": order.team,
            "commit": target.labels.get("org.opencontainers.image.revision", ""),
            "dirty": False,
            "size": result.size,
            "state": "unknown",
            "signed": False,
            "attestations": [],
            "user": str(target.settings.get("User") or ""),
            "gaps": list(result.gaps),
            "base": Base().document(),
        },
        "findings": [one.document() | {"reported_by": ["lading"]} for one in result.findings],
        "weaknesses": [one.document(order.team) for one in result.weaknesses],
        "licences": licence_documents(result.inventory),
        "reports": document_of(()),
    }


def _declared(path: Path) -> FilesChecked:
    """What is weak about the files that declare how images are made and run."""
    walk = Walk(path)
    checked = check_sources(list(walk))
    return replace(checked, gaps=(*walk.gaps, *checked.gaps))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as handle:
            return handle.read(_MOST_SBOM + 1)
    except OSError as error:
        raise TargetUnreadable(f"{path} cannot be read: {error.strerror}.") from error


def _day(now: datetime.datetime) -> datetime.date:
    return now.astimezone(datetime.UTC).date()
