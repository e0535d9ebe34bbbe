"""Bills of materials by other hands are read, and what cannot be matched is told."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.kernel.digest import Digest
from lading.supply_chain.inventory import ImageInventory
from lading.supply_chain.inventory.cyclonedx import cyclonedx
from lading.supply_chain.inventory.errors import SbomInvalid
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.merge import merge
from lading.supply_chain.inventory.sboms import looks_like_sbom, read_sbom
from lading.supply_chain.report import ScanResult
from lading.supply_chain.report.forms import write
from tar_layers import OS_RELEASE, distribution, node_module, status, tar

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "reports"


def read(document: dict[str, Any]) -> ImageInventory:
    return read_sbom(json.dumps(document).encode(), "sbom.json")


def bom(*components: dict[str, Any], version: str = "1.5") -> dict[str, Any]:
    return {"bomFormat": "CycloneDX", "specVersion": version, "components": list(components)}


def test_what_lading_writes_it_reads_again_in_both_forms() -> None:
    layer = tar(
        OS_RELEASE,
        status(("libc6", "2.36-9", "glibc (2.36)")),
        distribution("flask", "1.0"),
        node_module("@x/y", "1.0.0"),
    )
    inventory = merge(str(Digest.of(b"i")), [read_layer(str(Digest.of(layer)), io.BytesIO(layer))])
    scan = ScanResult(
        name="x", kind="registry", digest=inventory.image, made="2026-01-01T00:00:00Z", lading="1", inventory=inventory
    )

    def told(found: ImageInventory) -> list[tuple[str, ...]]:
        return [(one.ecosystem, one.name, one.version, one.source, one.source_version) for one in found.packages]

    assert told(read_sbom(json.dumps(cyclonedx(inventory, name="x", made="")).encode(), "a")) == told(inventory)
    assert told(read_sbom(write(scan, "spdx"), "b")) == told(inventory)


def test_sources_of_debs_are_found_as_other_tools_write_them() -> None:
    found = read(
        bom(
            {"type": "operating-system", "name": "debian", "version": "12"},
            {"name": "libc6", "version": "2.36", "purl": "pkg:deb/debian/libc6@2.36?distro=debian-12.5&upstream=glibc%402.36-9"},
            {"name": "zlib1g", "purl": "pkg:deb/debian/zlib1g@1.2?distro=debian-12", "properties": [
                {"name": "aquasecurity:trivy:SrcName", "value": "zlib"}, {"name": "aquasecurity:trivy:SrcVersion", "value": "1.2"}]},
        )
    )  # fmt: skip
    assert [(one.ecosystem, one.name, one.source, one.source_version) for one in found.packages] == [
        ("Debian:12", "libc6", "glibc", "2.36-9"),
        ("Debian:12", "zlib1g", "zlib", "1.2"),
    ]
    assert (found.distribution, found.release) == ("debian", "12")


def test_packages_of_other_distributions_have_the_ecosystems_of_inventories() -> None:
    found = read(
        bom(
            {"name": "libcrypto3", "purl": "pkg:apk/alpine/libcrypto3@3.3.1-r0?distro=alpine-3.20.3&upstream=openssl"},
            {"name": "bash", "purl": "pkg:rpm/rocky/bash@5.1.8-9.el9?distro=rocky-9.4"},
        )
    )
    assert [(one.ecosystem, one.name, one.source) for one in found.packages] == [
        ("Alpine:v3.20", "libcrypto3", "openssl"),
        ("Rocky Linux:9", "bash", ""),
    ]


def test_nested_components_count_and_wholes_do_not() -> None:
    inner = {"type": "library", "name": "lodash", "version": "1", "purl": "pkg:npm/lodash@1"}
    found = read(
        bom(
            {"type": "application", "name": "package-lock.json", "components": [inner]},
            {"type": "file", "name": "/bin/sh"},
        )
    )

    assert [one.name for one in found.packages] == ["lodash"]
    assert found.gaps == ()


def test_what_cannot_be_matched_is_a_gap_with_its_reason() -> None:
    found = read(
        bom(
            {"name": "mystery", "version": "1"},
            {"name": "odd", "version": "1", "purl": "not a purl"},
            {"name": "bits", "version": "1", "purl": "pkg:generic/bits@1"},
            {"name": "loose", "purl": "pkg:pypi/loose"},
        )
    )
    assert found.packages == ()
    assert [note.detail for note in found.gaps] == [
        "1 components are of a kind without advisories (generic): bits",
        "1 components have a malformed package URL: odd",
        "1 components have no package URL: mystery",
        "1 components have no version: loose",
    ]


@pytest.mark.parametrize("version", ["1.4", "1.5", "1.6", "1.7"])
def test_each_version_of_cyclonedx_is_read(version: str) -> None:
    assert len(read(bom({"name": "a", "purl": "pkg:pypi/a@1"}, version=version)).packages) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"{}", b"[1]", b'{"bomFormat": "CycloneDX", "specVersion": "1.2"}', b'{"spdxVersion": "SPDX-3.0"}',
        b'{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": 3}',
        b'{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"type": "library"}]}',
        b'{"bomFormat": "CycloneDX", "specVersion": "1.5", "specVersion": "1.6"}',
        b'{"bomFormat": "CycloneDX", "specVersion": "1.5", "x": ' + b"[" * 200_000,
        b'{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [' + b'{"name": "a", "components": [' * 5_000,
        b"\xff\xfe{}",
    ],
)  # fmt: skip
def test_what_is_no_bill_of_materials_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(SbomInvalid, match=r"sbom\.json"):
        read_sbom(body, "sbom.json")


def test_a_bill_of_materials_is_told_by_its_beginning() -> None:
    assert looks_like_sbom(b'  {"$schema": "x", "bomFormat" : "CycloneDX"')
    assert looks_like_sbom(b'{"spdxVersion":"SPDX-2.3"')
    assert not looks_like_sbom(b'{"name": "package"}')
    assert not looks_like_sbom(b"bomFormat")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "purl", "components", "licenses", "type"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_JSON, st.sampled_from(["components", "packages"]))
@settings(max_examples=150, deadline=None)
def test_odd_documents_are_read_or_refused(value: Any, member: str) -> None:
    for head in ({"bomFormat": "CycloneDX", "specVersion": "1.6"}, {"spdxVersion": "SPDX-2.3"}):
        try:
            read({**head, member: value})
        except SbomInvalid:
            continue


@pytest.mark.parametrize("name", ["trivy.cdx.json", "trivy.spdx.json"])
def test_what_trivy_writes_is_read_without_gaps(name: str) -> None:
    found = read_sbom((FIXTURES / name).read_bytes(), name)

    assert [(one.ecosystem, one.name.lower(), one.version) for one in found.packages] == [
        ("PyPI", "jinja2", "2.10"),
        ("npm", "lodash", "4.17.20"),
    ]
    assert found.gaps == ()
