"""Whether a version lies in what an advisory says is affected (OSV schema, "Evaluation"), and what is free of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lading.supply_chain.advisories.advisory import Affected, Range
from lading.supply_chain.match.versions import Key, VersionInvalid


def why_affected(affected: Affected, version: str, key: Key) -> str:
    """The reason why `version` has the flaw, as text for people; empty when it has not.

    Raises:
        VersionInvalid: the version, or one that decides about it, cannot be compared.
    """
    if version in affected.versions:
        return f"{version} is listed"
    installed = key(version)
    for one in affected.ranges:
        if reason := _inside(one, installed, key):
            return reason
    if any(_equal(listed, installed, key) for listed in affected.versions):
        return f"{version} is listed"
    return ""


def fixes_above(affected: Iterable[Affected], version: str, key: Key) -> list[str]:
    """The versions above `version` that the advisory calls fixed, lowest first, each once."""
    installed = key(version)
    found: dict[Any, str] = {}
    for one in affected:
        for kind, text in (event for span in one.ranges for event in span.events):
            if kind == "fixed":
                try:
                    fixed = key(text)
                except VersionInvalid:
                    continue
                if fixed > installed:
                    found.setdefault(fixed, text)
    return [found[fixed] for fixed in sorted(found)]


def _inside(span: Range, installed: Any, key: Key) -> str:
    """Walk the events upwards; the last one at or below the version decides. Events of one version keep their order."""
    if not _before_limits(span, installed, key):
        return ""
    lowest, others = [], []
    for kind, text in span.events:
        if kind == "limit":
            continue
        if kind == "introduced" and text == "0":
            lowest.append((kind, text, True))
        else:
            others.append((key(text), kind == "last_affected", kind, text))
    others.sort(key=lambda event: event[:2])
    walked = lowest + [
        (kind, text, at < installed or (at == installed and not last)) for at, last, kind, text in others
    ]
    inside, start, end = False, "", ""
    for kind, text, passed in walked:
        if passed:
            inside, start = kind == "introduced", text
        elif inside and kind != "introduced":
            end = f"< {text}" if kind == "fixed" else f"<= {text}"
            break
    if not inside:
        return ""
    return ", ".join(part for part in (f">= {start}" if start != "0" else "", end) if part) or "every version"


def _before_limits(span: Range, installed: Any, key: Key) -> bool:
    """A range with limits speaks only of what lies below one of them; `*` is above everything."""
    limits = [text for kind, text in span.events if kind == "limit"]
    return not limits or any(text == "*" or installed < key(text) for text in limits)


def _equal(listed: str, installed: Any, key: Key) -> bool:
    try:
        return bool(key(listed) == installed)
    except VersionInvalid:
        return False
