"""What a VEX document given with a scan sets aside, and what it does not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lading.kernel.severity import Severity
from lading.supply_chain.match import Finding
from lading.supply_chain.scan.errors import TargetInvalid
from lading.supply_chain.scan.vex import read_vex, set_aside

NOW = datetime(2026, 1, 2, tzinfo=UTC)
IMAGE = "sha256:" + "0" * 64


def flaw(identity: str, package: str = "jinja2") -> Finding:
    purl = f"pkg:pypi/{package}@2.10"
    return Finding(
        id=identity, package=package, version="2.10", purl=purl, ecosystem="PyPI", severity=Severity.HIGH, why=""
    )  # fmt: skip


def document(path: Path, *statements: dict[str, Any]) -> Path:
    body = {
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/vex/1", "author": "shop",
        "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": list(statements),
    }  # fmt: skip
    path.write_text(json.dumps(body))
    return path


def said(flaw: str, status: str, *products: str, **more: str) -> dict[str, Any]:
    return {"vulnerability": {"name": flaw}, "status": status, "products": [{"@id": one} for one in products], **more}


def test_what_is_not_affected_is_set_aside_and_says_why(tmp_path: Path) -> None:
    path = document(
        tmp_path / "vex.json",
        said("CVE-1", "not_affected", "pkg:pypi/jinja2", justification="vulnerable_code_not_in_execute_path"),
        said("CVE-2", "affected", "pkg:pypi/jinja2"),
    )
    found = [flaw("CVE-1"), flaw("CVE-1", "flask"), flaw("CVE-2"), flaw("CVE-3")]

    count, aside = set_aside(IMAGE, "registry.example/shop/web:1", found, read_vex([path], NOW))

    assert [(one.id, one.package) for one in count] == [("CVE-1", "flask"), ("CVE-2", "jinja2"), ("CVE-3", "jinja2")]
    assert [one.said for one in aside] == ["set aside: not_affected, vulnerable_code_not_in_execute_path (shop)"]
    assert count[1].vex is not None


@pytest.mark.parametrize(
    ("product", "counts"),
    [
        ("pkg:oci/web?repository_url=registry.example/shop/web", False),
        ("pkg:oci/web?repository_url=registry.example/mail/api", True),
        (f"pkg:oci/web@{IMAGE}".replace("sha256:", "sha256%3A"), False),
        ("pkg:oci/web@sha256%3A" + "1" * 64, True),
    ],
)
def test_products_of_a_document_narrow_it(tmp_path: Path, product: str, counts: bool) -> None:
    path = document(tmp_path / "vex.json", said("CVE-1", "fixed", product))

    count, _ = set_aside(IMAGE, "shop/web:1", [flaw("CVE-1")], read_vex([path], NOW))

    assert bool(count) is counts


@pytest.mark.parametrize("name", ["./a directory", "sbom.json", "HOST/x:y:z"])
def test_what_is_no_image_has_a_name_too(tmp_path: Path, name: str) -> None:
    path = document(tmp_path / "vex.json", said("CVE-1", "fixed", "pkg:pypi/jinja2"))

    assert set_aside(IMAGE, name, [flaw("CVE-1")], read_vex([path], NOW))[0] == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"@context": "https://openvex.dev/ns"}', "\x00"])
def test_what_is_no_vex_document_says_which_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.json").write_text(content)

    with pytest.raises(TargetInvalid, match=r"bad\.json"):
        read_vex([tmp_path / "bad.json"], NOW)
    with pytest.raises(TargetInvalid, match="cannot be read"):
        read_vex([tmp_path / "none.json"], NOW)
