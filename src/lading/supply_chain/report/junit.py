"""JUnit XML, as CI systems read it: a test fails exactly where the scan is refused, so both say the same."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as Xml

from lading.policy.decision import Violation
from lading.supply_chain.checks.weakness import Weakness
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.report.result import ScanResult

_NOT_IN_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(result: ScanResult) -> bytes:
    """The document: a suite each for findings, weaknesses, what was refused by rules, and what could not be read."""
    root = Xml.Element("testsuites", name=_text(f"lading {result.name}"))
    findings = _suite(root, "findings", result)
    for one in result.findings:
        _finding(findings, one, one.key in result.verdict.counted)
    for accepted in result.accepted:
        case = _case(findings, accepted.finding.purl, _named(accepted.finding))
        Xml.SubElement(case, "skipped", message=_text(accepted.said))
    if not result.findings and not result.accepted:
        _case(findings, result.name, "nothing is known to be wrong")
    weaknesses = _suite(root, "weaknesses", result)
    for weak in result.weaknesses:
        _weakness(weaknesses, weak, weak.key in result.verdict.counted)
    for tolerated in result.accepted_weaknesses:
        case = _case(weaknesses, tolerated.weakness.rule, tolerated.weakness.message[:300])
        Xml.SubElement(case, "skipped", message=_text(tolerated.said))
    if not result.weaknesses and not result.accepted_weaknesses:
        _case(weaknesses, result.name, "no check found anything")
    rules = _suite(root, "rules", result)
    for violation in result.violations:
        _violation(rules, violation)
    for warning in result.warnings:
        Xml.SubElement(_case(rules, warning.rule, warning.title), "system-out").text = _text(warning.message)
    coverage = _suite(root, "coverage", result)
    for gap in result.gaps:
        case = _case(coverage, result.name, gap[:200])
        kind = "failure" if result.verdict.gaps_refuse else "skipped"
        Xml.SubElement(case, kind, message=_text(gap))
    if not result.gaps:
        _case(coverage, result.name, "everything could be read")
    _count(root)
    Xml.indent(root)
    written: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _suite(root: Xml.Element, name: str, result: ScanResult) -> Xml.Element:
    return Xml.SubElement(root, "testsuite", name=name, timestamp=result.made[:19], hostname="lading")


def _case(suite: Xml.Element, group: str, name: str) -> Xml.Element:
    return Xml.SubElement(suite, "testcase", classname=_text(group), name=_text(name), time="0")


def _finding(suite: Xml.Element, one: Finding, counts: bool) -> None:
    case = _case(suite, one.purl, _named(one))
    fix = f"Raise {one.package} to {one.fixed}." if one.fixed else "Nobody has fixed it yet."
    text = "\n".join(filter(None, (one.summary, fix, one.why, one.path, one.layer)))
    if counts:
        message = f"{one.package} {one.version} has {one.id} ({one.severity.label})"
        Xml.SubElement(case, "failure", message=_text(message), type=one.severity.label).text = _text(text)
    else:
        Xml.SubElement(case, "system-out").text = _text(text)


def _weakness(suite: Xml.Element, one: Weakness, counts: bool) -> None:
    place = f" ({one.place})" if one.file else ""
    case = _case(suite, one.rule, f"{one.message[:300]}{place}")
    text = "\n".join(filter(None, (one.title, one.remedy, one.place, one.layer, ", ".join(one.references))))
    if counts:
        message = f"{one.message}{place} ({one.severity.label})"
        Xml.SubElement(case, "failure", message=_text(message), type=one.severity.label).text = _text(text)
    else:
        Xml.SubElement(case, "system-out").text = _text(text)


def _violation(suite: Xml.Element, one: Violation) -> None:
    case = _case(suite, one.rule, one.message[:300])
    Xml.SubElement(case, "failure", message=_text(one.message), type=one.severity).text = _text(one.remedy)


def _count(root: Xml.Element) -> None:
    """The attributes that readers add up: tests, failures, errors and skipped of every suite and of all."""
    total = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for suite in root.findall("testsuite"):
        counts = {
            "tests": len(suite.findall("testcase")),
            "failures": len(suite.findall("testcase/failure")),
            "errors": 0,
            "skipped": len(suite.findall("testcase/skipped")),
        }
        for key, count in counts.items():
            suite.set(key, str(count))
            total[key] += count
        suite.set("time", "0")
    for key in ("tests", "failures", "errors"):
        root.set(key, str(total[key]))


def _named(one: Finding) -> str:
    return f"{one.id} ({one.severity.label}) in {one.package} {one.version}"


def _text(text: str) -> str:
    return _NOT_IN_XML.sub("?", text)
