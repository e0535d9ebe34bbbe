"""An organisation's licence policy: a TOML file of what is allowed, looked at, and denied.

allow = ["permissive", "weak-copyleft", "GPL-2.0-only WITH Linux-syscall-note"]
review = ["strong-copyleft", "unknown"]
deny = ["network-copyleft", "proprietary"]
unlisted = "review"               # what none of the lists names

[[package]]
name = "ghostscript"              # also with licence = "AGPL-3.0-or-later"
verdict = "allow"
reason = "it runs as a program of its own and is not changed"
until = 2027-03-31

A list names SPDX ids, an id with an exception, or kinds. What is more exact counts: id with exception, id, kind; of two
lists that are as exact, the stricter.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from lading.kernel.errors import InvalidInput
from lading.supply_chain.inventory.values import Package
from lading.supply_chain.licences import ids
from lading.supply_chain.licences.expression import Expression, Term, judged
from lading.supply_chain.licences.ids import Category
from lading.supply_chain.licences.normalise import category_of, normalised

Verdict = Literal["allow", "review", "deny"]
VERDICTS: Final[tuple[Verdict, ...]] = ("allow", "review", "deny")
_MOST: Final = 1 << 20
_KINDS: Final = frozenset(map(str, Category))
_REMEDY: Final = 'Write allow = ["permissive"], review = ["strong-copyleft"], deny = ["AGPL-3.0-only"].'


class PackageVerdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of one package by itself, with a reason, up to and including the day `until` where there is one."""

    name: str
    verdict: Verdict
    reason: str
    licence: str = ""
    until: datetime.date | None = None


class LicencePolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an organisation says of licences. Without lists everything is `unlisted`."""

    allow: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    unlisted: Verdict = "review"
    package: tuple[PackageVerdict, ...] = ()

    def of_package(self, package: Package, expression: str, today: datetime.date) -> Verdict | None:
        """What is said of this package by itself on a day; None when nothing is."""
        for one in self.package:
            named = one.name in (package.name, package.source, package.purl)
            if named and one.licence in ("", expression) and (one.until is None or today <= one.until):
                return one.verdict
        return None

    def of(self, expression: Expression, *, unknown: Verdict | None = None) -> Verdict:
        """What is said of an expression: of a choice the mildest, of what holds together the strictest.

        Args:
            unknown: what to take for licences of no known kind, in the place of what the policy says of them.
        """

        def rank(term: Term) -> int:
            if unknown is not None and category_of(term) is Category.UNKNOWN:
                return VERDICTS.index(unknown)
            return VERDICTS.index(self.of_term(term))

        return VERDICTS[judged(expression, rank)]

    def of_unknown(self) -> Verdict:
        """What is said of a package that declares no licence."""
        return self._listed(str(Category.UNKNOWN)) or self.unlisted

    def of_term(self, term: Term) -> Verdict:
        """What is said of one licence. `…-or-later` lets one choose the version that is judged most mildly."""
        for name in (str(term), term.licence):
            if said := self._listed(name):
                return said
        versions = [said for one in ids.later(term.licence) if (said := self._listed(one))]
        if versions:
            return min(versions, key=VERDICTS.index)
        return self._listed(str(category_of(term))) or self.unlisted

    def _listed(self, name: str) -> Verdict | None:
        lists: tuple[tuple[Verdict, tuple[str, ...]], ...] = (
            ("deny", self.deny), ("review", self.review), ("allow", self.allow),
        )  # fmt: skip
        return next((verdict for verdict, some in lists if name in some), None)


def read_licence_policy(path: Path) -> LicencePolicy:
    """The policy of a file.

    Raises:
        InvalidInput: it cannot be read, is malformed, or names what is neither a kind nor a licence that SPDX knows.
    """
    try:
        with path.open("rb") as handle:
            body = handle.read(_MOST + 1)
        if len(body) > _MOST:
            raise InvalidInput(f"The licence policy {path} has more than {_MOST} bytes.", remedy=_REMEDY)
        found = msgspec.toml.decode(body, type=LicencePolicy)
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidInput(f"The licence policy {path} cannot be read: {str(error)[:200]}.", remedy=_REMEDY) from error
    if any(not one.reason.strip() or not one.name.strip() for one in found.package):
        raise InvalidInput(f"{path} speaks of a package without a name or a reason.", remedy="Say why.")
    return msgspec.structs.replace(
        found,
        allow=tuple(_known(name, path) for name in found.allow),
        review=tuple(_known(name, path) for name in found.review),
        deny=tuple(_known(name, path) for name in found.deny),
        package=tuple(
            msgspec.structs.replace(one, licence=str(normalised(one.licence) or "")) for one in found.package
        ),
    )


def _known(name: str, path: Path) -> str:
    """A kind, or a licence as SPDX writes it; raises InvalidInput."""
    if name in _KINDS:
        return name
    found = normalised(name)
    if not isinstance(found, Term) or (category_of(found) is Category.UNKNOWN and ids.find(found.licence) is None):
        kinds = ", ".join(sorted(_KINDS))
        raise InvalidInput(f"{path}: {name[:80]!r} is no licence.", remedy=f"Name one SPDX id, or a kind: {kinds}.")
    return str(found)
