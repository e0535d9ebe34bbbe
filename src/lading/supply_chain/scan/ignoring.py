"""Findings and weaknesses that somebody accepted: a TOML file of ids, each with a reason and a day on which it ends.

[[ignore]]
id = "CVE-2023-45853"
package = "zlib1g"          # optional: only in this package
reason = "minizip is not built into it"
until = 2027-03-31

[[ignore]]
id = "image-world-writable"    # the rule of a weakness
path = "srv/uploads*"          # optional: only there; `*` is any text
reason = "everybody may hand something in"
until = 2027-03-31
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from lading.supply_chain.checks.weakness import Weakness
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.report.result import Accepted, AcceptedWeakness
from lading.supply_chain.scan.errors import TargetInvalid

_MOST: Final = 4 << 20
_MOST_DAYS: Final = 366
T = TypeVar("T")


class Ignored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One acceptance: it holds up to and including the day `until`."""

    id: str
    reason: str
    until: datetime.date
    package: str = ""
    path: str = ""

    def covers(self, finding: Finding) -> bool:
        """Whether it speaks of the finding, by any of its names."""
        about = not self.package or self.package in (finding.package, finding.source, finding.purl)
        return about and self.id in finding.names and self._lies_at(finding.path)

    def covers_weakness(self, weakness: Weakness) -> bool:
        """Whether it speaks of the weakness, by its rule."""
        return not self.package and self.id == weakness.rule and self._lies_at(weakness.file)

    def _lies_at(self, path: str) -> bool:
        return not self.path or fnmatchcase(path, self.path)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    ignore: list[Ignored] = []


def read_ignored(path: Path, today: datetime.date) -> tuple[Ignored, ...]:
    """The acceptances of a file.

    Raises:
        TargetInvalid: it cannot be read, is malformed, gives no reason, or accepts for more than a year.
    """
    try:
        with path.open("rb") as handle:
            body = handle.read(_MOST + 1)
        if len(body) > _MOST:
            raise TargetInvalid(f"{path} has more than {_MOST} bytes.")
        found = msgspec.toml.decode(body, type=_File).ignore
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise TargetInvalid(
            f"The ignore file {path} cannot be read: {str(error)[:200]}.",
            remedy='Write [[ignore]] with id = "…", reason = "…" and until = 2027-03-31.',
        ) from error
    for one in found:
        if not one.reason.strip() or not one.id.strip():
            raise TargetInvalid(f"{path} accepts {one.id or 'something'} without an id or a reason.")
        if (one.until - today).days > _MOST_DAYS:
            raise TargetInvalid(f"{path} accepts {one.id} until {one.until}: at most a year is taken.")
    return tuple(found)


def sort_out(
    findings: Iterable[Finding], ignored: Iterable[Ignored], today: datetime.date
) -> tuple[tuple[Finding, ...], tuple[Accepted, ...], tuple[str, ...]]:
    """The findings that stay, those that are accepted, and sentences about acceptances that have ended."""
    rows = list(ignored)
    stay, taken, lapsed = _sorted(((one, [row for row in rows if row.covers(one)]) for one in findings), today)
    accepted = tuple(Accepted(finding=one, reason=row.reason, until=str(row.until)) for one, row in taken)
    return stay, accepted, lapsed


def sort_out_weaknesses(
    weaknesses: Iterable[Weakness], ignored: Iterable[Ignored], today: datetime.date
) -> tuple[tuple[Weakness, ...], tuple[AcceptedWeakness, ...], tuple[str, ...]]:
    """The same for weaknesses."""
    rows = list(ignored)
    stay, taken, lapsed = _sorted(
        ((one, [row for row in rows if row.covers_weakness(one)]) for one in weaknesses), today
    )
    accepted = tuple(AcceptedWeakness(weakness=one, reason=row.reason, until=str(row.until)) for one, row in taken)
    return stay, accepted, lapsed


def _sorted(
    held: Iterable[tuple[T, list[Ignored]]], today: datetime.date
) -> tuple[tuple[T, ...], list[tuple[T, Ignored]], tuple[str, ...]]:
    stay, accepted = [], []
    lapsed: dict[str, None] = {}
    for one, holding in held:
        valid = next((row for row in holding if row.until >= today), None)
        if valid is not None:
            accepted.append((one, valid))
            continue
        stay.append(one)
        lapsed |= {f"{row.id} was accepted until {row.until} ({row.reason}) and counts again": None for row in holding}
    return tuple(stay), accepted, tuple(lapsed)
