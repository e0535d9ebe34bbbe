"""Who stays and who goes in one repository, and why: a pure function of what is known of its images."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from lading.kernel.clock import parse_timestamp
from lading.supply_chain.registry.retention.rules import Rule

_NEVER: Final = "never pulled"


@dataclass(frozen=True, slots=True)
class Kept:
    """One manifest of a repository. `needed_by` are manifests here that list it; `goes_with` is what it refers to."""

    digest: str
    pushed: str
    size: int
    tags: Sequence[str] = ()
    pulled: str = ""
    revoked: str = ""
    needed_by: Collection[str] = field(default_factory=tuple)
    goes_with: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a manifest stays, and why."""

    repository: str
    digest: str
    tags: tuple[str, ...]
    pushed: str
    pulled: str
    size: int
    stays: bool
    why: str


def judge(
    repository: str,
    images: Sequence[Kept],
    rules: Sequence[Rule],
    *,
    now: datetime,
    running: Collection[str],
    held: Collection[str],
) -> list[Verdict]:
    """A verdict for every manifest of a repository, youngest first.

    What an index lists stays with it; a signature or attestation goes when what it is about goes. With no rule
    everything stays.
    """
    ordered = sorted(images, key=lambda image: (image.pushed, image.digest), reverse=True)
    ranks = {image.digest: rank for rank, image in enumerate(image for image in ordered if image.tags)}
    reasons: dict[str, str] = {}
    for image in ordered:
        reasons[image.digest] = _reason(image, ranks.get(image.digest), rules, now, running, held)
    _spread(ordered, reasons)
    return [
        Verdict(
            repository=repository,
            digest=image.digest,
            tags=tuple(image.tags),
            pushed=image.pushed,
            pulled=image.pulled,
            size=image.size,
            stays=bool(reasons[image.digest]),
            why=reasons[image.digest] or _farewell(image),
        )
        for image in ordered
    ]


def _reason(
    image: Kept,
    rank: int | None,
    rules: Sequence[Rule],
    now: datetime,
    running: Collection[str],
    held: Collection[str],
) -> str:
    """Why an image stays by itself; empty for no reason."""
    if not rules:
        return "no rule of retention is about this repository"
    if image.digest in running:
        return "it runs"
    if image.digest in held:
        return "it is under legal hold"
    for rule in rules:
        if reason := _reason_by(rule, image, rank, now):
            return f"{reason} (rule {rule.pattern})"
    return ""


def _reason_by(rule: Rule, image: Kept, rank: int | None, now: datetime) -> str:
    if image.revoked and _within(image.revoked, rule.keep_revoked_days, now):
        return f"it was revoked less than {rule.keep_revoked_days} days ago"
    for tag in image.tags:
        if (pattern := next((one for one in rule.keep_tags if fnmatchcase(tag, one)), None)) is not None:
            return f"tag {tag} matches {pattern}"
    if rank is not None and rank < rule.keep_last:
        return f"it is number {rank + 1} of the {rule.keep_last} youngest with a tag"
    if _within(image.pushed, rule.keep_days, now):
        return f"it was pushed within {rule.keep_days} days"
    if image.pulled and _within(image.pulled, rule.keep_pulled_days, now):
        return f"it was pulled within {rule.keep_pulled_days} days"
    return ""


def _spread(images: Sequence[Kept], reasons: dict[str, str]) -> None:
    """Let what belongs to something that stays stay too, until nothing changes; let what belongs to nothing left go."""
    changed = True
    while changed:
        changed = False
        for image in images:
            if reasons[image.digest]:
                continue
            reason = next((f"{one[:19]} lists it, which stays" for one in image.needed_by if reasons.get(one)), "")
            if image.goes_with and reasons.get(image.goes_with):
                reason = f"it belongs to {image.goes_with[:19]}, which stays"
            if reason:
                reasons[image.digest] = reason
                changed = True


def _farewell(image: Kept) -> str:
    pulled = f"last pulled {image.pulled[:10]}" if image.pulled else _NEVER
    tags = f"tags {', '.join(image.tags[:5])}" if image.tags else "no tag"
    return f"no rule keeps it: {tags}, pushed {image.pushed[:10]}, {pulled}"


def _within(moment: str, days: int, now: datetime) -> bool:
    return days > 0 and parse_timestamp(moment) > now - timedelta(days=days)
