"""What may be asked for as a base, and what is told about one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lading.supply_chain.build.apt_snapshot import describe_lists
from lading.supply_chain.build.base import BaseFailed, BaseInvalid, BaseRequest, provenance
from lading.supply_chain.build.base_memory import MemoryBases

VERSIONS = {"base-files": "12.4", "dash": "0.5", "dpkg": "1.21", "libc6": "2.36-9", "python3": "3.11.2-1"}


def test_packages_are_sorted_and_each_asked_for_once() -> None:
    assert BaseRequest.of("debian:12", ["b1", "a1", "b1"]).include == ("a1", "b1")


@pytest.mark.parametrize("distribution", ["debian:99", "gentoo:1", "", "debian:../x", "debian"])
def test_an_unknown_distribution_is_refused(distribution: str) -> None:
    with pytest.raises(BaseInvalid, match="cannot be made"):
        BaseRequest.of(distribution)


@pytest.mark.parametrize("name", ["--help", "a b", "UPPER", "x;y", "?essential", ""])
def test_what_is_no_package_name_is_refused(name: str) -> None:
    with pytest.raises(BaseInvalid, match="not a package name"):
        BaseRequest.of("debian:12", [name])


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(BaseInvalid, match="not a variant"):
        BaseRequest.of("debian:12", variant="huge")


def test_codenames_and_numbers_mean_the_same_suite() -> None:
    assert BaseRequest.of("debian:12").suite == BaseRequest.of("debian:bookworm").suite == "bookworm"


def test_provenance_names_packages_and_archives_but_no_mirror(tmp_path: Path) -> None:
    made = MemoryBases(tmp_path, VERSIONS).make(BaseRequest.of("debian:12", ["python3"]), print)
    told = provenance(made, "0.1")
    uris = [item.get("uri", "") for item in told["buildDefinition"]["resolvedDependencies"]]
    assert "pkg:deb/debian/python3@3.11.2-1?arch=amd64" in uris
    assert "http" not in json.dumps(told["buildDefinition"]["resolvedDependencies"])


def in_release(origin: str, date: str) -> str:
    return (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
        f"Origin: {origin}\nLabel: {origin}\nCodename: bookworm\nDate: {date}\nMD5Sum:\n abc 1 x\nSHA256:\n def 1 x\n"
        "-----BEGIN PGP SIGNATURE-----\n"
    )


def test_a_snapshot_is_described_by_its_signed_indexes(tmp_path: Path) -> None:
    (tmp_path / "m.example_debian_dists_bookworm_InRelease").write_text(
        in_release("Debian", "Sat, 11 Jul 2026 10:16:37 UTC")
    )
    snapshot = describe_lists(tmp_path)
    assert [(item.name, item.date) for item in snapshot.archives] == [("Debian bookworm", "2026-07-11T10:16:37Z")]
    assert snapshot.epoch == 1783764997


def test_an_archive_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x_InRelease").write_text(in_release("Other", "Sat, 11 Jul 2026 10:16:37 UTC"))
    with pytest.raises(BaseFailed, match="not Debian's own"):
        describe_lists(tmp_path)


def test_an_index_without_a_date_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x_InRelease").write_text(in_release("Debian", "soon"))
    with pytest.raises(BaseFailed, match="has no date"):
        describe_lists(tmp_path)


def test_no_index_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseFailed, match="no signed index"):
        describe_lists(tmp_path)
