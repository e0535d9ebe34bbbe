"""The feeds that are fetched: which they are, where each is published, and when it is stale."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from lading.kernel.errors import InvalidInput, NotFound

EPSS: Final = "epss"
KEV: Final = "kev"
OSV: Final = "osv"
_ECOSYSTEM: Final = re.compile(r"[A-Za-z][A-Za-z0-9 .-]{0,40}(:[A-Za-z0-9][A-Za-z0-9 .:_-]{0,40})?")
_DAYS: Final = re.compile(r"(osv|kev|epss)=([0-9]{1,4})")


class Source(msgspec.Struct, frozen=True):
    """A feed that is fetched. `address` is that of a file; for an ecosystem of OSV, that of its directory."""

    name: str
    kind: str
    address: str

    @property
    def whole(self) -> str:
        """Where all of it is in one file."""
        return f"{self.address}/all.zip" if self.kind == OSV else self.address

    @property
    def modified(self) -> str:
        """Where an ecosystem lists when each record was modified."""
        return f"{self.address}/modified_id.csv"

    def record(self, identity: str) -> str:
        """Where one record of an ecosystem is."""
        return f"{self.address}/{quote(identity, safe='')}.json"


class Sources:
    """What is configured.

    Args:
        osv: the base of OSV's exports; empty: none is fetched (here and below).
        ecosystems: names of OSV ecosystems, such as `PyPI` and `Debian:12`.
    """

    def __init__(self, *, osv: str, ecosystems: Iterable[str], kev: str, epss: str) -> None:
        base = osv.rstrip("/")
        found = [Source(source_name(one), OSV, f"{base}/{quote(one, safe=':')}") for one in ecosystems] if osv else []
        found += [Source(KEV, KEV, kev)] if kev else []
        found += [Source(EPSS, EPSS, epss)] if epss else []
        self._by_name = {source.name: source for source in found}

    def all(self) -> list[Source]:
        """Every source, advisories first."""
        return list(self._by_name.values())

    def named(self, name: str) -> Source:
        """One source, by its name or that of its ecosystem; raises NotFound."""
        found = self._by_name.get(name) or self._by_name.get(source_name(name))
        if found is None:
            known = ", ".join(self._by_name) or "none"
            raise NotFound(f"There is no advisory source {name[:60]!r}.", remedy=f"Sources are: {known}.")
        return found


def source_name(ecosystem: str) -> str:
    """The name of the feed of an ecosystem: `Debian:12` is `debian12`."""
    return re.sub(r"[^a-z0-9._-]+", "", ecosystem.lower())


def read_ecosystems(text: str) -> tuple[str, ...]:
    """Names between commas; raises InvalidInput."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if _ECOSYSTEM.fullmatch(name) is None:
            raise InvalidInput(f"{name[:60]!r} is no ecosystem.", remedy="Write them as OSV does: PyPI,npm,Debian:12")
    return names


def read_stale_days(text: str) -> Mapping[str, int]:
    """`osv=7,kev=14,epss=7`: kind -> days; a kind that is not named is never stale; raises InvalidInput."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        said = _DAYS.fullmatch(part)
        if said is None:
            raise InvalidInput(f"{part[:60]!r} says no days.", remedy="Write them as osv=7,kev=14,epss=7")
        found[said[1]] = int(said[2])
    return found
