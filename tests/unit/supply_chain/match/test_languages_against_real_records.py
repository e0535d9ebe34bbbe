"""Packages as the catalogers of languages name them, against real records: the affected version hits, the fixed not."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from lading.supply_chain.advisories import Advisory, Affected
from lading.supply_chain.advisories.osv import parse_record
from lading.supply_chain.inventory import Package
from lading.supply_chain.inventory.catalogers import cataloger_for
from lading.supply_chain.match.matcher import hits


def read(path: str, content: bytes) -> Package:
    cataloger = cataloger_for(path)
    assert cataloger is not None
    return cataloger.read(path, content).packages[0]


def maven(name: str, version: str) -> Package:
    group, _, artifact = name.partition(":")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        text = f"groupId={group}\nartifactId={artifact}\nversion={version}\n"
        archive.writestr(f"META-INF/maven/{group}/{artifact}/pom.properties", text)
    return read("lib/x.jar", out.getvalue())


def gem(name: str, version: str) -> Package:
    return read("specifications/x.gemspec", f"# stub: {name} {version} ruby lib\n".encode())


def nuget(name: str, version: str) -> Package:
    libraries = {f"{name}/{version}": {"type": "package"}}
    return read("x.deps.json", json.dumps({"targets": {}, "libraries": libraries}).encode())


def composer(name: str, version: str) -> Package:
    return read("vendor/composer/installed.json", json.dumps([{"name": name, "version": version}]).encode())


MAKERS = {"Maven": maven, "RubyGems": gem, "NuGet": nuget, "Packagist": composer}


def records(directory: Path, ecosystem: str) -> Iterator[tuple[Advisory, Affected]]:
    content = (directory / "misc-osv.jsonl.zst").read_bytes()
    for line in zstandard.ZstdDecompressor().stream_reader(content).read().splitlines():
        advisory = parse_record(line)
        for affected in advisory.affected:
            if affected.ecosystem == ecosystem and not advisory.withdrawn:
                yield advisory, affected


@pytest.mark.parametrize(("ecosystem", "least"), [("Maven", 100), ("RubyGems", 50), ("NuGet", 300), ("Packagist", 80)])
def test_what_is_affected_is_found_and_what_is_fixed_is_not(
    ecosystem: str, least: int, advisories_directory: Path
) -> None:
    checked = 0
    for advisory, affected in records(advisories_directory, ecosystem):
        name = affected.name
        for span in affected.ranges:
            introduced = [text for kind, text in span.events if kind == "introduced" and text != "0"]
            for version in (*introduced, *affected.versions[:3]):
                assert hits(MAKERS[ecosystem](name, version), [advisory]), (advisory.id, name, version)
                checked += 1
        fixed = [text for span in affected.ranges for kind, text in span.events if kind == "fixed"]
        if fixed and len(affected.ranges) == 1 and sum(one.name == name for one in advisory.affected) == 1:
            found = hits(MAKERS[ecosystem](name, fixed[-1]), [advisory])
            assert not found or "taken as affected" in found[0].why, (advisory.id, name, fixed)
    assert checked > least


def test_an_artifact_without_a_sure_group_is_matched_with_nothing(advisories_directory: Path) -> None:
    package = read("lib/spring-unknown-1.0.jar", zipped_manifest())

    assert package.doubt
    assert not any(hits(package, [advisory]) for advisory, _ in records(advisories_directory, "Maven"))


def zipped_manifest() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    return out.getvalue()
