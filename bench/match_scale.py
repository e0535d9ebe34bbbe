"""Matching with very many images: shared layers, running containers, one new advisory, a whole update of the feeds.

`BENCH_IMAGES` says how many images (100000 for the figures of docs/measured.md); everything else grows with them. Names
of packages are those that the bundled advisories name, so that advisories fall on packages as they do in life.
`BENCH_FLEET` names a file that the filled database is kept in: filling takes an hour at full size, and goes on there
after a stop.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from lading.facts import Ledger
from lading.kernel.digest import Digest
from lading.orchestration import sql as orchestration
from lading.state import Database, metadata
from lading.supply_chain.advisories import Advisories
from lading.supply_chain.advisories.bundled import load_snapshot
from lading.supply_chain.inventory import ImageInventory, Package
from lading.supply_chain.match import Findings

IMAGES = int(os.environ.get("BENCH_IMAGES", "1000"))
BASES, FRAMEWORKS = 40, 400
IN_BASE, IN_FRAMEWORK, IN_APPLICATION = 110, 120, 70
VERSIONS_OF_APPLICATION = 20
CONTAINERS_PER_IMAGE = 10
ADVISORIES = 3 * IMAGES
ASKED = 60
_random = random.Random(7)


def run() -> list[dict[str, Any]]:
    """All rows, measured on this machine."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(os.environ.get("BENCH_FLEET") or Path(scratch) / "bench.db")
        database = Database(f"sqlite:///{path}")
        metadata.create_all(database.engine)
        rows = _Fleet(database, path).measure()
        database.close()
    return rows


class _Fleet:
    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self._path = path
        ledger = Ledger()
        self._advisories = Advisories(database, ledger)
        self._findings = Findings(database, ledger, self._advisories)
        self._packages: dict[tuple[str, str, str], Package] = {}
        self._names: dict[str, list[str]] = {}

    def measure(self) -> list[dict[str, Any]]:
        if not self._count("advisory_records"):
            load_snapshot(self._advisories)
        self._names = self._known_names()
        return [*self._filled(), self._new_image(), *self._new_advisories(), *self._updated()]

    def _known_names(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        with self._database.read() as tx:
            for ecosystem, name in tx.exec_driver_sql("SELECT DISTINCT ecosystem, name FROM advisory_affected"):
                found.setdefault(ecosystem, []).append(name)
        # Most packages never had an advisory.
        return {key: sorted(names) + [f"quiet-{n}" for n in range(3 * len(names))] for key, names in found.items()}

    def _filled(self) -> list[dict[str, Any]]:
        known, before, start = self._count("match_images"), self._size(), time.perf_counter()
        for first in range(known, IMAGES, 100):
            with self._database.write() as tx:
                for number in range(first, min(first + 100, IMAGES)):
                    self._findings.match_image_in(tx, *self._image(number))
        seconds = time.perf_counter() - start
        filled = IMAGES - known
        for number in range(min(known, IMAGES)):
            self._image(number)  # only so that their packages are known
        grown = (self._size() - before) / filled if filled > 0 else 0.0
        found = self._count("match_flaws")
        with self._database.read() as tx:
            pairs, members = (
                tx.exec_driver_sql(f"SELECT {what}").scalar()
                for what in ("SUM(packages) FROM match_images", "COUNT(*) FROM match_members")
            )
        if not self._count("orchestration_containers"):
            self._run_containers()
        note = f"{pairs} packages of images as {members} rows, {found} findings of packages, 100 images a transaction"
        if filled <= 0:
            return [_row("match at scale, images", IMAGES, "images", f"{note}; filled before, {self._size()} bytes")]
        return [
            _row("match at scale, images", filled / seconds, "images/s", note),
            _row("match at scale, database", grown, "bytes/image", "packages, groups, findings and their facts"),
        ]

    def _run_containers(self) -> None:
        columns = [column.name for column in orchestration.containers.c]
        places = ", ".join("?" * len(columns))
        statement = f"INSERT INTO orchestration_containers ({', '.join(columns)}) VALUES ({places})"
        with self._database.write() as tx:
            for first in range(0, IMAGES, 1_000):
                tx.exec_driver_sql(statement, list(self._containers(first, min(first + 1_000, IMAGES), columns)))

    def _containers(self, first: int, end: int, columns: list[str]) -> Iterator[tuple[Any, ...]]:
        """The youngest version of each application runs, with what the others would have."""
        for number in range(first, end):
            application, version = divmod(number, VERSIONS_OF_APPLICATION)
            if version != VERSIONS_OF_APPLICATION - 1:
                continue
            said = {"image": str(_digest(number)), "team": f"team-{application % 300}", "state": "running",
                    "workload": f"app-{application}/web", "application": f"app-{application}",
                    "restarts": 0}  # fmt: skip
            for replica in range(CONTAINERS_PER_IMAGE * VERSIONS_OF_APPLICATION):
                name = f"app-{application}-{replica}"
                yield tuple(
                    (said | {"id": name, "name": name, "exit_code": None}).get(column, "") for column in columns
                )

    def _new_image(self) -> dict[str, Any]:
        taken = []
        for number in range(IMAGES, IMAGES + 30):
            image, inventory = self._image(number)
            start = time.perf_counter()
            self._findings.match_image(Digest.parse(image), inventory)
            taken.append(time.perf_counter() - start)
        return _row("match at scale, new image", median(taken) * 1e3, "ms", f"median of 30, beside {IMAGES}; durable")

    def _new_advisories(self) -> list[dict[str, Any]]:
        taken, told, containers = [], [], []
        places = list(self._packages)
        for number, key in enumerate(_random.sample(places, min(ASKED, len(places)))):
            ecosystem, name, version = key
            raw = _record(f"NEW-{number}", ecosystem, name, [version], "2026-11-20T00:00:00Z")
            start = time.perf_counter()
            self._advisories.import_osv("bench", [raw])
            self._findings.catch_up()
            told.append(time.perf_counter() - start)
            running = self._running(f"NEW-{number}")
            taken.append(time.perf_counter() - start)
            containers.append(len(running))
        note = (
            f"{len(taken)} advisories; containers each: median {median(containers):.0f}, most {max(containers)} "
            f"of {IMAGES * CONTAINERS_PER_IMAGE}; p90 {quantiles(taken, n=10)[-1] * 1e3:.0f} ms"
        )
        return [
            _row("match at scale, new advisory to containers and owners", median(taken) * 1e3, "ms", note),
            _row("match at scale, of that to facts", median(told) * 1e3, "ms", "taken in, matched, stated; durable"),
        ]

    def _running(self, flaw: str) -> list[tuple[str, str]]:
        images = {place.image for place in self._findings.images_with(flaw)}
        with self._database.read() as tx:
            return [(row.id, row.team) for row in orchestration.running_images(tx, sorted(images))]

    def _updated(self) -> list[dict[str, Any]]:
        self._advisories.import_osv("whole", self._feed(1))
        self._findings.catch_up()
        start = time.perf_counter()
        changed = len(self._advisories.import_osv("whole", self._feed(2)).changed)
        taken_in = time.perf_counter() - start
        images = self._findings.catch_up()
        seconds = time.perf_counter() - start
        note = f"{changed} records new or changed, {taken_in:.1f} s of it taking in; {images} times an image was told"
        return [_row("match at scale, advisories changed", seconds, "s", note)]

    def _feed(self, version: int) -> Iterator[bytes]:
        ecosystems = sorted(self._names)
        for number in range(ADVISORIES):
            ecosystem = ecosystems[number % len(ecosystems)]
            names = self._names[ecosystem]
            quiet = number % 10 != 0
            name = f"elsewhere-{number % 60_000}" if quiet else names[(number * 7) % len(names)]
            level = ("LOW", "HIGH")[version - 1] if number % 50 == 0 else "MEDIUM"
            yield _record(
                f"ALL-{number}", ecosystem, name, [f"0.{number % 40}"], f"2026-10-{version:02}T00:00:00Z", level
            )

    def _image(self, number: int) -> tuple[str, ImageInventory]:
        application, version = divmod(number, VERSIONS_OF_APPLICATION)
        base, framework = application % BASES, application % FRAMEWORKS
        language = ("PyPI", "npm")[framework % 2]
        packages = [
            *self._layer(f"base {base}", "Debian:12", IN_BASE, base),
            *self._layer(f"framework {framework}", language, IN_FRAMEWORK, framework),
            *self._layer(f"application {application} {version}", language, IN_APPLICATION, application * 50 + version),
        ]
        image = str(_digest(number))
        layers = tuple(dict.fromkeys(package.layer for package in packages))
        return image, ImageInventory(image=image, cataloger_version="1", layers=layers, packages=tuple(packages))

    def _layer(self, name: str, ecosystem: str, count: int, seed: int) -> list[Package]:
        """What a layer brings: mostly the same for the next seed, so that versions of an application are alike."""
        layer, names = str(Digest.of(name.encode())), self._names[ecosystem]
        first = seed // 50 * 37
        found = {}
        for n in range(count):
            what = names[(first + n * 13) % len(names)]
            # One package in eight is old enough to have its flaws; the others are above every fix.
            major = 0 if n % 8 == 0 else 9999
            found[what] = self._package(ecosystem, what, f"{major}.{(seed // 50 + (seed % 50 + n) // 25) % 40}")
        return [_at(package, layer) for package in found.values()]

    def _package(self, ecosystem: str, name: str, version: str) -> Package:
        key = (ecosystem, name, version)
        if key not in self._packages:
            kind = {"Debian:12": "deb/debian", "PyPI": "pypi", "npm": "npm"}[ecosystem]
            self._packages[key] = Package(
                purl=f"pkg:{kind}/{name}@{version}", ecosystem=ecosystem, name=name, version=version,
                path="var/lib/dpkg/status" if ecosystem == "Debian:12" else f"srv/app/lib/{name}/METADATA",
            )  # fmt: skip
        return self._packages[key]

    def _count(self, table: str) -> int:
        with self._database.read() as tx:
            return int(tx.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar() or 0)

    def _size(self) -> int:
        with self._database.write() as tx:
            tx.exec_driver_sql("SELECT 1")
        with self._database.read() as tx:
            pages, size = (tx.exec_driver_sql(f"PRAGMA page_{what}").scalar() for what in ("count", "size"))
        return int(pages or 0) * int(size or 0)


def _at(package: Package, layer: str) -> Package:
    return Package(
        purl=package.purl, ecosystem=package.ecosystem, name=package.name, version=package.version, path=package.path,
        layer=layer,
    )  # fmt: skip


def _record(identity: str, ecosystem: str, name: str, versions: list[str], modified: str, level: str = "HIGH") -> bytes:
    affected = [{"package": {"ecosystem": ecosystem, "name": name}, "versions": versions}]
    number = abs(hash(identity)) % 10_000_000
    record = {"id": identity, "aliases": [f"CVE-2030-{number:07}"], "modified": modified, "affected": affected,
              "database_specific": {"severity": level}}  # fmt: skip
    return json.dumps(record).encode()


def _digest(number: int) -> Digest:
    return Digest.of(f"image {number}".encode())


def _row(name: str, value: float, unit: str, note: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": unit, "peer": "", "ratio": None, "note": note}
