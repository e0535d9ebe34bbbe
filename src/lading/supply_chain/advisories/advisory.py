"""An advisory as matching needs it: ids, packages, ranges, severity and dates. Prose stays where it came from."""

from __future__ import annotations

import msgspec

from lading.kernel.severity import Severity


class Range(msgspec.Struct, frozen=True, array_like=True):
    """Events of one range in the record's order: `introduced`, `fixed`, `last_affected` or `limit`, and version."""

    kind: str
    events: tuple[tuple[str, str], ...]


class Affected(msgspec.Struct, frozen=True, omit_defaults=True):
    """One package of one ecosystem, and which of its versions have the flaw. `name` is normalised."""

    ecosystem: str
    name: str
    ranges: tuple[Range, ...] = ()
    versions: tuple[str, ...] = ()


class Advisory(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record of a feed. `score` is a CVSS base score, 0.0 when there is none; times are RFC 3339."""

    id: str
    modified: str
    published: str = ""
    withdrawn: str = ""
    aliases: tuple[str, ...] = ()
    summary: str = ""
    score: float = 0.0
    severity: Severity = Severity.UNKNOWN
    affected: tuple[Affected, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Its id and every other name of the same flaw."""
        return (self.id, *(alias for alias in self.aliases if alias != self.id))
