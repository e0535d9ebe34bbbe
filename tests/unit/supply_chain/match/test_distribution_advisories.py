"""Real advisories of distributions against packages as the inventory names them; where the data is beside the checkout."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import zstandard

from lading.supply_chain.advisories import Advisory
from lading.supply_chain.advisories.osv import parse_record
from lading.supply_chain.inventory import Package
from lading.supply_chain.inventory.releases import settled
from lading.supply_chain.match.matcher import hits
from lading.supply_chain.match.versions import key_for


def known(path: Path, word: bytes) -> list[Advisory]:
    with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as stream:
        return [parse_record(line) for line in io.BufferedReader(stream) if word in line]


def released(purl: str, kind: str, identity: str, number: str, **fields: str) -> Package:
    bare = Package(purl=purl, ecosystem="", path="p", **fields)  # type: ignore[arg-type]
    return settled(bare, kind, {"ID": identity, "VERSION_ID": number})


@pytest.mark.parametrize(("version", "affected"), [("3.1.0-r1", True), ("3.1.0-r2", False)])
def test_a_flaw_of_openssl_in_alpine(advisories_directory: Path, version: str, affected: bool) -> None:
    """CVE-2023-0465 was mended in Alpine 3.18 with 3.1.0-r2."""
    advisories = [
        one
        for one in known(advisories_directory / "alpine.jsonl.zst", b"CVE-2023-0465")
        if "CVE-2023-0465" in one.names
    ]
    package = released("pkg:apk/alpine/libcrypto3@1", "apk", "alpine", "3.18.4", name="libcrypto3", version=version,
                       source="openssl", source_version=version)  # fmt: skip

    assert bool(hits(package, advisories)) == affected


@pytest.mark.parametrize(("feed", "ecosystem"), [("alpine", "Alpine"), ("almalinux9", "AlmaLinux")])
def test_every_version_of_the_advisories_can_be_compared(advisories_directory: Path, feed: str, ecosystem: str) -> None:
    key, versions = key_for(ecosystem), 0
    for advisory in known(advisories_directory / f"{feed}.jsonl.zst", b""):
        for affected in advisory.affected:
            for text in {text for span in affected.ranges for _, text in span.events} - {"0"}:
                key(text)
                versions += 1

    assert versions > 1_000
