"""The forms by which reports come, told apart by what they say they are; bounded before anything is believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from lading.kernel.errors import InvalidInput
from lading.kernel.strict_json import check_json
from lading.supply_chain.foreign.errors import ReportInvalid
from lading.supply_chain.foreign.forms import cyclonedx, grype, junit, sarif, spdx, trivy
from lading.supply_chain.foreign.report import MOST_RESULTS, ForeignReport, Kind, short

MOST_BYTES: Final = 64 << 20
_Reader = Callable[[bytes], ForeignReport]
_FORMS: Final = "Trivy JSON, Grype JSON, CycloneDX, SPDX 2.3, SARIF 2.1.0 and JUnit XML"


class _Head(msgspec.Struct):
    """What tells the forms of JSON apart."""

    bom_format: str = msgspec.field(name="bomFormat", default="")
    spdx_version: str = msgspec.field(name="spdxVersion", default="")
    runs: msgspec.Raw = msgspec.Raw(b"")
    matches: msgspec.Raw = msgspec.Raw(b"")
    schema_version: Any = msgspec.field(name="SchemaVersion", default=None)
    artifact: str = msgspec.field(name="ArtifactName", default="")


def read_report(body: bytes, name: str, *, tool: str = "", kind: Kind | None = None) -> ForeignReport:
    """Read a report.

    Args:
        name: of the file, for messages.
        tool: what the tool is called, where the report does not say, or says something else.
        kind: what its results are, where the form leaves that open (SARIF).

    Raises:
        ReportInvalid: it is too large, of no known form, malformed, or has more than 100,000 results.
    """
    if len(body) > MOST_BYTES:
        raise ReportInvalid(
            f"{name} has {len(body)} bytes; at most {MOST_BYTES >> 20} MiB are taken.", remedy="Split it."
        )
    try:
        report = _reader(body, name)(body)
    except ReportInvalid as error:
        raise ReportInvalid(f"{name}: {error.what}", remedy=error.remedy) from error
    except InvalidInput as error:
        raise ReportInvalid(error.what, remedy=error.remedy) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
        raise ReportInvalid(
            f"{name} is malformed: {str(error)[:200]}.", remedy="Let the tool write it again."
        ) from error
    if len(report.results) > MOST_RESULTS:
        raise ReportInvalid(f"{name} has more than {MOST_RESULTS} results.", remedy="Split it.")
    named = msgspec.structs.replace(report, tool=short(tool or report.tool, 80) or report.form)
    return _as_kind(named, kind) if kind else named


def _reader(body: bytes, name: str) -> _Reader:
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"<":
        return junit.read
    if start != b"{":
        raise _unknown(name)
    check_json(body, name, most=MOST_BYTES)
    head = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"), type=_Head)
    if head.bom_format == "CycloneDX":
        return cyclonedx.read
    if head.spdx_version:
        return spdx.read
    if bytes(head.runs):
        return sarif.read
    if bytes(head.matches):
        return grype.read
    if head.schema_version is not None and head.artifact:
        return trivy.read
    raise _unknown(name)


def _as_kind(report: ForeignReport, kind: Kind) -> ForeignReport:
    """What the results are is the sender's to say, except that flaws of packages and tests show what they are."""
    fixed = ("vulnerability", "test", "inventory")
    if report.kind == kind:
        return report
    if report.kind in fixed or kind in fixed:
        raise ReportInvalid(f"A {report.form} report of {report.tool} is not of the kind {kind}, but {report.kind}.")
    results = tuple(msgspec.structs.replace(one, kind=kind) for one in report.results)
    return msgspec.structs.replace(report, kind=kind, results=results)


def _unknown(name: str) -> ReportInvalid:
    return ReportInvalid(f"{name} is of no form that is read.", remedy=f"Give {_FORMS}.")
