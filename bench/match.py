"""Matching figures: version keys, an image against the snapshot, and one new advisory against every image known."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from lading.facts import Ledger
from lading.kernel.digest import Digest
from lading.state import Database, metadata
from lading.supply_chain.advisories import Advisories
from lading.supply_chain.advisories.bundled import load_snapshot
from lading.supply_chain.inventory import ImageInventory, Package
from lading.supply_chain.match import Findings
from lading.supply_chain.match.versions import debian

IMAGES = 500
PACKAGES = 300
VERSIONS = 20_000
PEER_VERSIONS = 2_000


def run() -> list[dict[str, Any]]:
    """All rows, measured on this machine."""
    rows = [_keys()]
    with tempfile.TemporaryDirectory() as scratch:
        database = Database(f"sqlite:///{Path(scratch) / 'bench.db'}")
        metadata.create_all(database.engine)
        rows += _matching(database)
        database.close()
    return rows


def _row(name: str, value: float, unit: str, note: str, peer: str = "", ratio: float | None = None) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": unit, "peer": peer, "ratio": ratio, "note": note}


def _keys() -> dict[str, Any]:
    versions = [f"{n % 3}:{n % 50}.{n}~rc{n % 7}-{n % 9}+deb12u{n % 4}" for n in range(VERSIONS)]
    start = time.perf_counter()
    sorted(versions, key=debian.key.__wrapped__)
    rate = VERSIONS / (time.perf_counter() - start)
    try:
        from univers.versions import DebianVersion
    except ImportError:
        return _row("version keys, Debian", rate, "versions/s", "made and sorted; peer not installed")
    some = versions[:PEER_VERSIONS]
    start = time.perf_counter()
    sorted(some, key=DebianVersion)
    peer = PEER_VERSIONS / (time.perf_counter() - start)
    return _row(
        "version keys, Debian", rate, "versions/s", "made and sorted", f"univers {peer:.0f}", round(rate / peer, 1)
    )


def _matching(database: Database) -> list[dict[str, Any]]:
    ledger = Ledger()
    advisories = Advisories(database, ledger)
    start = time.perf_counter()
    records = sum(imported.records for imported in load_snapshot(advisories))
    rows = [_row("advisories, bundled snapshot loaded", time.perf_counter() - start, "s", f"{records} records")]
    with database.read() as tx:
        names = sorted({name for ecosystem, name in _pairs(tx) if ecosystem == "PyPI"})
    findings = Findings(database, ledger, advisories)
    start, found = time.perf_counter(), 0
    for number in range(IMAGES):
        digest = Digest.of(str(number).encode())
        found += len(findings.match_image(digest, _inventory(digest, names, number)))
    seconds = time.perf_counter() - start
    note = f"{IMAGES} images of {PACKAGES} packages, {found} findings, each durable"
    rows.append(_row("match, images", IMAGES * PACKAGES / seconds, "packages/s", note))
    record = {
        "id": "BENCH-1", "aliases": ["CVE-2030-10000"], "modified": "2026-01-01T00:00:00Z",
        "affected": [{"package": {"ecosystem": "PyPI", "name": "everywhere"},
                      "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}]}],
    }  # fmt: skip
    start = time.perf_counter()
    findings.match_advisories(advisories.import_osv("bench", [json.dumps(record).encode()]).touched)
    changed = (time.perf_counter() - start) * 1e3
    start = time.perf_counter()
    images = len({place.image for place in findings.images_with("CVE-2030-10000")})
    asked = (time.perf_counter() - start) * 1e3
    rows.append(
        _row("match, new advisory to facts", changed, "ms", f"{images} of {IMAGES} images have it, none was read")
    )
    rows.append(_row("match, where is this CVE", asked, "ms", f"{images} images"))
    return rows


def _pairs(tx: Any) -> list[tuple[str, str]]:
    return [tuple(row) for row in tx.exec_driver_sql("SELECT ecosystem, name FROM advisory_affected")]


def _inventory(digest: Digest, names: list[str], number: int) -> ImageInventory:
    clean = [(f"clean-{(number + n) % 5000}", "1.0") for n in range(PACKAGES * 9 // 10)]
    flawed = [(names[(number * 7 + n * 5) % len(names)], f"{n % 5}.{n % 9}") for n in range(PACKAGES // 10)]
    chosen = [("everywhere", "1.0"), *clean, *flawed]
    packages = tuple(
        Package(
            purl=f"pkg:pypi/{name}@{version}",
            ecosystem="PyPI",
            name=name,
            version=version,
            path=f"x/{name}",
            layer=str(digest),
        )
        for name, version in dict(chosen).items()
    )
    return ImageInventory(image=str(digest), cataloger_version="1", layers=(str(digest),), packages=packages)
