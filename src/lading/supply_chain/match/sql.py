"""The tables of matching: every package seen, where it is, what is wrong with it, and by which names to ask for that.

Packages are kept once for all images, so that a new advisory is compared with each package once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from lading.state import Transaction
from lading.state.schema import BigInteger, metadata
from lading.supply_chain.inventory.values import Package
from lading.supply_chain.match.finding import Finding

packages: Final = sa.Table(
    "match_packages",
    metadata,
    sa.Column("id", BigInteger, primary_key=True, autoincrement=True),
    sa.Column("ecosystem", sa.Text, nullable=False),
    sa.Column("matched_name", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("purl", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, unique=True, comment="msgpack, without layer and path"),
    sa.Index("ix_match_packages_ecosystem_matched_name", "ecosystem", "matched_name"),
    sa.Index("ix_match_packages_name", "name"),
    sa.Index("ix_match_packages_purl", "purl"),
)

occurrences: Final = sa.Table(
    "match_occurrences",
    metadata,
    sa.Column("package", sa.BigInteger, primary_key=True),
    sa.Column("image", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("layer", sa.Text, nullable=False),
    sa.Index("ix_match_occurrences_image", "image"),
)

findings: Final = sa.Table(
    "match_findings",
    metadata,
    sa.Column("image", sa.Text, primary_key=True),
    sa.Column("package", sa.BigInteger, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("severity", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="msgpack"),
    sa.Index("ix_match_findings_package", "package"),
)

names: Final = sa.Table(
    "match_names",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("image", sa.Text, primary_key=True),
    sa.Column("package", sa.BigInteger, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Index("ix_match_names_image_package_id", "image", "package", "id"),
)

cursor: Final = sa.Table(
    "match_cursor",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)

_CHUNK: Final = 500
_CURSOR: Final = "advisories"
_encode = msgspec.msgpack.encode
_decode_package = msgspec.msgpack.Decoder(Package).decode
_decode_finding = msgspec.msgpack.Decoder(Finding).decode

Row = tuple[int, Finding]


class MatchStore:
    """Rows of matching; every method works in the caller's transaction."""

    def intern(self, tx: Transaction, some: Sequence[tuple[Package, str]]) -> dict[Package, int]:
        """The numbers of packages, each `(package, matched name)`, without layer and path; new ones are added."""
        bodies = {_encode(package): (package, name) for package, name in some}
        found = self._numbers(tx, list(bodies))
        fresh = [
            {
                "ecosystem": package.ecosystem,
                "matched_name": name,
                "name": package.name,
                "purl": package.purl,
                "body": body,
            }
            for body, (package, name) in bodies.items()
            if body not in found
        ]
        if fresh:
            tx.execute(sa.insert(packages), fresh)
            found |= self._numbers(tx, [row["body"] for row in fresh])  # type: ignore[misc]
        return {package: found[body] for body, (package, _) in bodies.items()}

    def _numbers(self, tx: Transaction, bodies: Sequence[bytes]) -> dict[bytes, int]:
        query = sa.select(packages.c.body, packages.c.id)
        return {
            bytes(body): number
            for chunk in _chunks(bodies)
            for body, number in tx.execute(query.where(packages.c.body.in_(chunk)))
        }

    def packages(self, tx: Transaction, numbers: Sequence[int]) -> dict[int, Package]:
        """Number -> package."""
        return {
            number: _decode_package(bytes(body))
            for chunk in _chunks(numbers)
            for number, body in tx.execute(sa.select(packages.c.id, packages.c.body).where(packages.c.id.in_(chunk)))
        }

    def place(self, tx: Transaction, image: str, rows: Sequence[tuple[int, str, str]]) -> set[int]:
        """Say which packages `(number, path, layer)` an image has; returns the numbers of those it no longer has."""
        before = set(
            tx.execute(sa.select(occurrences.c.package).where(occurrences.c.image == image).distinct()).scalars()
        )
        tx.execute(sa.delete(occurrences).where(occurrences.c.image == image))
        if rows:
            values = [{"package": n, "image": image, "path": path, "layer": layer} for n, path, layer in rows]
            tx.execute(sa.insert(occurrences), values)
        return before - {row[0] for row in rows}

    def places(
        self, tx: Transaction, numbers: Sequence[int], image: str | None = None
    ) -> dict[int, dict[str, tuple[str, str]]]:
        """Package -> image -> its first path in that image, and the layer that brought it."""
        query = sa.select(occurrences).order_by(occurrences.c.path)
        if image is not None:
            query = query.where(occurrences.c.image == image)
        found: dict[int, dict[str, tuple[str, str]]] = {}
        for chunk in _chunks(numbers):
            for row in tx.execute(query.where(occurrences.c.package.in_(chunk))):
                found.setdefault(row.package, {}).setdefault(row.image, (row.path, row.layer))
        return found

    def about(self, tx: Transaction, pairs: set[tuple[str, str]]) -> set[int]:
        """The packages of these ecosystems and matched names."""
        by_ecosystem: dict[str, list[str]] = {}
        for ecosystem, name in pairs:
            by_ecosystem.setdefault(ecosystem, []).append(name)
        return {
            number
            for ecosystem, some in by_ecosystem.items()
            for chunk in _chunks(some)
            for number in tx.execute(
                sa.select(packages.c.id).where(packages.c.ecosystem == ecosystem, packages.c.matched_name.in_(chunk))
            ).scalars()
        }

    def with_finding(self, tx: Transaction, some_names: set[str]) -> set[int]:
        """The packages with a finding that has one of these names."""
        query = sa.select(names.c.package).distinct()
        if len(some_names) > 5_000:
            rows = tx.execute(sa.select(names.c.name, names.c.package).distinct())
            return {package for name, package in rows if name in some_names}
        return {
            number
            for chunk in _chunks(sorted(some_names))
            for number in tx.execute(query.where(names.c.name.in_(chunk))).scalars()
        }

    def found(
        self, tx: Transaction, numbers: Sequence[int], image: str | None = None
    ) -> dict[tuple[str, int, str], Finding]:
        """The kept findings of packages, by image, package and id."""
        query = sa.select(findings)
        if image is not None:
            query = query.where(findings.c.image == image)
        return {
            (row.image, row.package, row.id): _decode_finding(bytes(row.body))
            for chunk in _chunks(numbers)
            for row in tx.execute(query.where(findings.c.package.in_(chunk)))
        }

    def replace(
        self,
        tx: Transaction,
        gone: Sequence[tuple[str, int, str]],
        new: Sequence[tuple[tuple[str, int, str], Finding]],
    ) -> None:
        """Forget findings and keep others, each by image, package and id."""
        for table in (findings, names):
            statement = sa.delete(table).where(
                table.c.image == sa.bindparam("i"),
                table.c.package == sa.bindparam("p"),
                table.c.id == sa.bindparam("f"),
            )
            keys = [{"i": image, "p": package, "f": identity} for image, package, identity in gone]
            if keys:
                tx.execute(statement, keys)
        if not new:
            return
        tx.execute(sa.insert(findings), [
            {"image": key[0], "package": key[1], "id": key[2], "severity": int(one.severity), "body": _encode(one)}
            for key, one in new
        ])  # fmt: skip
        tx.execute(sa.insert(names), [
            {"name": name, "image": key[0], "package": key[1], "id": key[2]}
            for key, one in new for name in one.names
        ])  # fmt: skip

    def of(self, tx: Transaction, image: str) -> list[Finding]:
        """The findings of an image."""
        bodies = tx.execute(sa.select(findings.c.body).where(findings.c.image == image)).scalars()
        return [_decode_finding(bytes(body)) for body in bodies]

    def by_severity(self, tx: Transaction, images: Sequence[str]) -> dict[str, dict[int, int]]:
        """Image -> severity -> how many findings."""
        query = sa.select(findings.c.image, findings.c.severity, sa.func.count())
        query = query.group_by(findings.c.image, findings.c.severity)
        counts: dict[str, dict[int, int]] = {}
        for chunk in _chunks(images):
            for image, severity, count in tx.execute(query.where(findings.c.image.in_(chunk))):
                counts.setdefault(image, {})[severity] = count
        return counts

    def package_counts(self, tx: Transaction, images: Sequence[str]) -> dict[str, int]:
        """Image -> how many packages; an image without any, or never read, is left out."""
        query = sa.select(occurrences.c.image, sa.func.count(occurrences.c.package.distinct()))
        counts: dict[str, int] = {}
        for chunk in _chunks(images):
            here = query.where(occurrences.c.image.in_(chunk)).group_by(occurrences.c.image)
            counts |= {row[0]: int(row[1]) for row in tx.execute(here)}
        return counts

    def named(self, tx: Transaction, name: str) -> list[tuple[str, Finding]]:
        """Image and finding, for every finding of that name."""
        query = (
            sa.select(findings.c.image, findings.c.body)
            .join(
                names,
                sa.and_(
                    names.c.image == findings.c.image,
                    names.c.package == findings.c.package,
                    names.c.id == findings.c.id,
                ),
            )
            .where(names.c.name == name)
        )
        return [(image, _decode_finding(bytes(body))) for image, body in tx.execute(query)]

    def carrying(self, tx: Transaction, name: str) -> list[tuple[str, Package]]:
        """Image and package (with path and layer), for every package of that name, matched name or purl."""
        named = sa.or_(packages.c.name == name, packages.c.matched_name == name, packages.c.purl == name)
        query = (
            sa.select(occurrences.c.image, occurrences.c.path, occurrences.c.layer, packages.c.body)
            .join(packages, packages.c.id == occurrences.c.package)
            .where(named)
        )
        return [
            (row.image, msgspec.structs.replace(_decode_package(bytes(row.body)), path=row.path, layer=row.layer))
            for row in tx.execute(query)
        ]

    def seen(self, tx: Transaction) -> int:
        """The number of the last change of the advisories that was matched."""
        return tx.execute(sa.select(cursor.c.seq).where(cursor.c.name == _CURSOR)).scalar() or 0

    def see(self, tx: Transaction, seq: int) -> None:
        """Note that all changes up to `seq` were matched."""
        tx.execute(sa.delete(cursor).where(cursor.c.name == _CURSOR))
        tx.execute(sa.insert(cursor).values(name=_CURSOR, seq=seq))


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
