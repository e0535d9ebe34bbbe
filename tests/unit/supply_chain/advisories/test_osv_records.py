import gzip
import io
import json
import zipfile
from typing import Any

import pytest
import zstandard

from lading.kernel.severity import Severity
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
