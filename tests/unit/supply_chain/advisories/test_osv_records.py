import gzip
import io
import json
import zipfile
from typing import Any

import pytest
import zstandard

from lading.kernel.severity import Severity
from lading.supply_chain.advisories.advisory import Advisory
from lading.supply_chain.advisories.errors import AdvisoryInvalid
from lading.supply_chain.advisories.osv import normalised_ecosystem, parse_record
from lading.supply_chain.advisories.reading import raw_records


def record(**fields: Any) -> bytes:
    return json.dumps({"id": "PYSEC-1", "modified": "2026-01-01T00:00:00Z"} | fields).encode()


def test_a_record_keeps_what_matching_needs() -> None:
    raw = record(
        aliases=["CVE-2026-1"], upstream=["CVE-2026-2"], summary="a\nb", details="prose",
        severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        affected=[{"package": {"ecosystem": "PyPI", "name": "Flask_Cors"},
                   "ranges": [{"type": "GIT", "events": []}, {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}]}],
    )  # fmt: skip

    advisory = parse_record(raw)

    assert advisory.names == ("PYSEC-1", "CVE-2026-1", "CVE-2026-2")
    assert (advisory.score, advisory.severity, advisory.summary) == (9.8, Severity.CRITICAL, "a b")
    assert advisory.affected[0].name == "flask-cors"
    assert [span.events for span in advisory.affected[0].ranges] == [(("introduced", "0"), ("fixed", "2"))]


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"database_specific": {"severity": "MODERATE"}}, Severity.MEDIUM),
        ({"affected": [{"ecosystem_specific": {"severity": "high"}}]}, Severity.HIGH),
        ({"id": "MAL-2026-1"}, Severity.CRITICAL),
        ({}, Severity.UNKNOWN),
        (
            {"severity": [{"type": "CVSS_V3", "score": "garbage"}], "database_specific": {"severity": "LOW"}},
            Severity.LOW,
        ),
    ],
)
def test_severity_comes_from_the_best_place_that_says_it(fields: dict[str, Any], severity: Severity) -> None:
    assert parse_record(record(**fields)).severity == severity


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"[1]", record(id="a b"), record(id=""), record(modified="yesterday"), record(affected=3), b"\xff",
     record(aliases=["x"] * 1000), record(affected=[{}] * 6000), b"[" * 100_000,
     record(affected=[{"package": {"ecosystem": "PyPI", "name": "x" * 400}}])],
)  # fmt: skip
def test_a_record_that_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(AdvisoryInvalid):
        parse_record(raw)


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.json", content)
    return out.getvalue()


def test_records_are_found_in_every_form_they_come_in() -> None:
    one, two = record(), record(id="PYSEC-2")
    lines = one + b"\n" + two + b"\n"

    for content in (
        lines,
        gzip.compress(lines),
        zstandard.compress(lines),
        b"[" + one + b"," + two + b"]",
        zipped(a=one, b=two),
    ):
        assert [json.loads(raw)["id"] for raw in raw_records(content)] == ["PYSEC-1", "PYSEC-2"]
    pretty = json.dumps(json.loads(one), indent=2).encode()
    assert len(list(raw_records(pretty))) == 1
    assert list(raw_records(b"")) == []


@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04garbage", b"\x1f\x8bgarbage", b"\x28\xb5\x2f\xfdgarbage", gzip.compress(b"x" * 999)[:-9], b"[{]"],
)
def test_damaged_feeds_are_refused(content: bytes) -> None:
    with pytest.raises(AdvisoryInvalid):
        list(raw_records(content))


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Red Hat:enterprise_linux:9::baseos", "Red Hat:enterprise_linux:9"),
        ("SUSE:Linux Enterprise Module for Basesystem 15 SP5", "SUSE:Linux Enterprise Server 15 SP5"),
        ("SUSE:Linux Enterprise Server 15 SP5-LTSS", "SUSE:Linux Enterprise Server 15 SP5-LTSS"),
        ("AlmaLinux:9", "AlmaLinux:9"),
    ],
)
def test_channels_of_a_release_are_the_release(said: str, kept: str) -> None:
    assert normalised_ecosystem(said) == kept


def _record(identity: str, ecosystem: str, **fields: Any) -> Advisory:
    affected = [{"package": {"ecosystem": ecosystem, "name": "openssl"}}]
    return parse_record(
        json.dumps({"id": identity, "modified": "2026-01-01T00:00:00Z", "affected": affected} | fields).encode()
    )


def test_what_is_related_is_another_flaw_and_a_bulletin_covers_several() -> None:
    one = _record("DEBIAN-CVE-2026-1", "Debian:12", upstream=["CVE-2026-1"], related=["DSA-1", "CVE-2026-9"])
    assert one.flaws == (("DEBIAN-CVE-2026-1", "CVE-2026-1"),)

    bulletin = _record("RHSA-2026:1", "Red Hat:9", upstream=["CVE-2026-1", "CVE-2026-2"])
    assert bulletin.flaws == (("CVE-2026-1",), ("CVE-2026-2",))
    assert bulletin.names == ("RHSA-2026:1", "CVE-2026-1", "CVE-2026-2")

    old = _record("DSA-1-1", "Debian:11", aliases=["CVE-2026-1", "CVE-2026-2"])
    assert old.flaws == (("CVE-2026-1",), ("CVE-2026-2",))

    assert _record("ALSA-2026:1", "AlmaLinux:9", related=["CVE-2026-1"]).flaws == (("ALSA-2026:1", "CVE-2026-1"),)
    assert _record("GHSA-1", "PyPI", aliases=["CVE-2026-1"], related=["CVE-2026-9"]).names == ("GHSA-1", "CVE-2026-1")


def test_severity_says_where_it_comes_from() -> None:
    high = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N"
    vectors = [{"type": "CVSS_V4", "score": high}, {"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:C/I:C/A:C"}]
    one = _record("GHSA-1", "PyPI", severity=vectors)
    assert (one.score, one.severity, one.rated) == (8.7, Severity.HIGH, "CVSS 4.0")

    broken = _record("GHSA-2", "PyPI", severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:?"}])
    assert (broken.score, broken.severity) == (0.0, Severity.UNKNOWN)
    assert broken.rated == "CVSS vector 'CVSS:3.1/AV:?' cannot be read"

    debian = parse_record(
        b'{"id":"DEBIAN-CVE-2026-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Debian:12",'
        b'"name":"x"},"ecosystem_specific":{"urgency":"unimportant"}}]}'
    )
    assert (debian.severity, debian.rated) == (Severity.LOW, "stated")
