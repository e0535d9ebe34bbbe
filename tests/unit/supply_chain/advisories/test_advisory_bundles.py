import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard

from lading.facts import Ledger
from lading.kernel.clock import ManualClock
from lading.state import Database, metadata
from lading.supply_chain.advisories import Advisories
from lading.supply_chain.advisories.bundle import Bundles, is_bundle
from lading.supply_chain.advisories.errors import AdvisoryInvalid
from lading.supply_chain.advisories.origin import Origin
from lading.supply_chain.attest.keys_local import PrivateKey

CLOCK = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))


class Site:
    def __init__(self, *, trusts: list[PrivateKey] | None = None) -> None:
        self.database = Database("sqlite://")
        metadata.create_all(self.database.engine)
        self.advisories = Advisories(self.database, Ledger(), clock=CLOCK)
        self.key = PrivateKey.generate()
        self.bundles = Bundles(self.database, self.advisories, self.key, lambda: trusts or [], clock=CLOCK)

    def content(self) -> list[Any]:
        with self.database.read() as tx:
            return [
                sorted(tuple(row) for row in tx.exec_driver_sql(f"SELECT * FROM advisory_{table}"))
                for table in ("records", "affected", "names", "kev", "epss", "feeds")
            ]


@pytest.fixture
def site() -> Site:
    made = Site()
    affected = [{"package": {"ecosystem": "PyPI", "name": "flask"},
                 "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}]}]  # fmt: skip
    records = [
        {"id": f"PYSEC-{n}", "modified": "2026-10-01T00:00:00Z", "aliases": [f"CVE-2026-{n + 1000}"], "affected": affected,
         "summary": "ä" * n, **({"withdrawn": "2026-10-02T00:00:00Z"} if n % 3 == 0 else {})}
        for n in range(30)
    ]  # fmt: skip
    origin = Origin("https://osv.test/PyPI", '"1"', "sha256:0", "2026-10-31T00:00:00.000000Z")
    made.advisories.import_osv("pypi", [json.dumps(one).encode() for one in records], origin=origin)
    made.advisories.import_content("kev", b'{"dateReleased":"2026-10-30","vulnerabilities":[{"cveID":"CVE-2026-1001","dateAdded":"2026-10-01"}]}')  # fmt: skip
    made.advisories.import_content("epss", b"#score_date:2026-10-31\ncve,epss\nCVE-2026-1001,0.123456789\n")
    return made


def test_what_is_exported_and_imported_is_the_same_with_its_provenance(site: Site, tmp_path: Path) -> None:
    manifest = site.bundles.export(tmp_path / "bundle.tar.zst")
    other = Site(trusts=[site.key])
    imported = other.bundles.take_in(tmp_path / "bundle.tar.zst", actor="ann")

    assert is_bundle(tmp_path / "bundle.tar.zst")
    assert [one.source for one in manifest.feeds] == ["epss", "kev", "pypi"]
    assert [(one.source, len(one.changed)) for one in imported] == [("pypi", 30), ("epss", 1), ("kev", 1)]
    assert other.content() == site.content()
    assert [one.changed for one in other.bundles.take_in(tmp_path / "bundle.tar.zst", actor="ann")] == [(), (), ()]
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.tar.zst"]


def test_a_bundle_of_a_stranger_is_refused(site: Site, tmp_path: Path) -> None:
    site.bundles.export(tmp_path / "bundle.tar.zst")
    other = Site(trusts=[PrivateKey.generate()])

    with pytest.raises(AdvisoryInvalid, match="nobody who is trusted"):
        other.bundles.take_in(tmp_path / "bundle.tar.zst", actor="ann")
    assert other.advisories.status() == []


def changed(path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> None:
    """Write a bundle again, with some of its members changed, left out or put twice."""
    with zstandard.open(path, "rb") as reader, tarfile.open(fileobj=reader, mode="r|") as archive:
        members = [(one.name, archive.extractfile(one).read()) for one in archive]  # type: ignore[union-attr]
    with zstandard.open(path, "wb") as writer, tarfile.open(fileobj=writer, mode="w|") as archive:
        for made in (change(*one) for one in members):
            if made is not None:
                info = tarfile.TarInfo(made[0])
                info.size = len(made[1])
                archive.addfile(info, io.BytesIO(made[1]))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda name, body: (name, body.replace(b"PYSEC-1", b"PYSEC-9")), "not what its manifest says|nobody"),
        (lambda name, body: (name, body + b"x" * (name == "pypi.jsonl")), "longer"),
        (lambda name, body: None if name == "kev.jsonl" else (name, body), "missing"),
        (lambda name, body: ("../kev.jsonl" if name == "kev.jsonl" else name, body), "does not name"),
        (lambda name, body: (name, body.replace(b'"records":30', b'"records":31')), "nobody"),
        (lambda name, body: None if name == "manifest.sig" else (name, body), "manifest.sig"),
    ],
)
def test_a_changed_bundle_is_refused_and_nothing_of_it_taken_in(
    site: Site, tmp_path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None], why: str
) -> None:
    path = tmp_path / "bundle.tar.zst"
    site.bundles.export(path)
    changed(path, change)
    other = Site(trusts=[site.key])

    with pytest.raises(AdvisoryInvalid, match=why):
        other.bundles.take_in(path, actor="ann")
    assert other.advisories.status() == []


def test_what_is_cut_short_or_no_bundle_is_refused(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.zst"
    with pytest.raises(AdvisoryInvalid, match="no advisories"):
        Site().bundles.export(path)
    site.bundles.export(path)
    whole = path.read_bytes()
    for content in (b"", b"x" * 999, whole[: len(whole) // 2], whole[:-9]):
        path.write_bytes(content)
        with pytest.raises(AdvisoryInvalid):
            site.bundles.take_in(path, actor="ann")
    assert not is_bundle(tmp_path / "missing")
