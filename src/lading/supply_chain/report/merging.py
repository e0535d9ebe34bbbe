"""Several documents of one form as one: SARIF keeps a run for each, JUnit its suites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as Xml

import msgspec


def merge_sarif(documents: Sequence[bytes]) -> bytes:
    """One SARIF log with the runs of all; documents are those of this room."""
    first, *others = (msgspec.json.decode(one, type=dict[str, Any]) for one in documents)
    for other in others:
        first["runs"] += other["runs"]
    return msgspec.json.format(msgspec.json.encode(first), indent=2) + b"\n"


def merge_junit(documents: Sequence[bytes]) -> bytes:
    """One JUnit document with the suites of all, each suite named for what it is about."""
    merged = Xml.Element("testsuites", name="lading")
    totals = {"tests": 0, "failures": 0, "errors": 0}
    for document in documents:
        # Written by this room a moment ago, not by a stranger.
        root = Xml.fromstring(document)  # noqa: S314
        for suite in root:
            suite.set("name", f"{root.get('name', '')} {suite.get('name', '')}")
            merged.append(suite)
        for key in totals:
            totals[key] += int(root.get(key, "0"))
    for key, total in totals.items():
        merged.set(key, str(total))
    Xml.indent(merged)
    written: bytes = Xml.tostring(merged, encoding="utf-8", xml_declaration=True)
    return written + b"\n"
