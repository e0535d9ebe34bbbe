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
    """One record of a feed. `score` is a CVSS score, 0.0 when there is none; times are RFC 3339.

    `aliases` are other names of its flaw. A bulletin `covers` several flaws, which are not one because it names them
    all. `rated` says where score and severity come from.
    """

    id: str
    modified: str
    published: str = ""
    withdrawn: str = ""
    aliases: tuple[str, ...] = ()
    summary: str = ""
    score: float = 0.0
    severity: Severity = Severity.UNKNOWN
    affected: tuple[Affected, ...] = ()
    covers: tuple[str, ...] = ()
    rated: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that it can be asked by: its id, its aliases and what it covers, each once."""
        return tuple(dict.fromkeys((self.id, *self.aliases, *self.covers)))

    @property
    def flaws(self) -> tuple[tuple[str, ...], ...]:
        """The flaws that it is about, each by its names."""
        return tuple((name,) for name in self.covers) if self.covers else (self.names,)
