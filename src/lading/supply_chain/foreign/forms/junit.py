"""JUnit XML of any test runner. What declares a document type or an entity is refused before it is expanded."""

from __future__ import annotations

import math
from typing import Any, Final, NoReturn
from xml.parsers import expat

from lading.supply_chain.foreign.errors import ReportInvalid
from lading.supply_chain.foreign.report import ForeignReport, ToldTests, short

_MOST_DEPTH: Final = 32
_MOST_CASES: Final = 1_000_000
_MOST_NAMED: Final = 50
_OUTCOMES: Final = {"failure": "failed", "error": "errors", "skipped": "skipped"}


def read(body: bytes) -> ForeignReport:
    """The report; raises ReportInvalid."""
    reading = _Reading()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    for handler in (
        "StartDoctypeDeclHandler", "EntityDeclHandler", "UnparsedEntityDeclHandler", "ExternalEntityRefHandler",
    ):  # fmt: skip
        setattr(parser, handler, _refused)
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ReportInvalid(f"It is not XML: {str(error)[:200]}.", remedy="Let the tool write it again.") from error
    return reading.report()


def _refused(*_: Any) -> NoReturn:
    raise ReportInvalid("It declares a document type or an entity, which no test runner needs.")


class _Reading:
    """Counts test cases by what is in them, as their suites' own attributes are often wrong."""

    def __init__(self) -> None:
        self._depth = 0
        self._root = ""
        self._suites: list[str] = []
        self._case: str | None = None
        self._outcome = ""
        self._counts = {"total": 0, "failed": 0, "errors": 0, "skipped": 0}
        self._seconds = 0.0
        self._failing: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise ReportInvalid(f"It is nested deeper than {_MOST_DEPTH} levels.")
        self._root = self._root or name
        if self._root not in ("testsuites", "testsuite"):
            raise ReportInvalid(f"It is XML, but no JUnit report: it begins with {name[:60]}.")
        if name == "testsuite":
            if len(self._suites) < _MOST_NAMED:
                self._suites.append(attributes.get("name", ""))
        elif name == "testcase":
            self._counts["total"] += 1
            if self._counts["total"] > _MOST_CASES:
                raise ReportInvalid(f"It has more than {_MOST_CASES} tests.", remedy="Split it.")
            self._case = ".".join(filter(None, (attributes.get("classname", ""), attributes.get("name", ""))))
            self._outcome = ""
            self._seconds += _number(attributes.get("time", ""))
        elif self._case is not None and name in _OUTCOMES and not self._outcome:
            self._outcome = _OUTCOMES[name]

    def end(self, name: str) -> None:
        self._depth -= 1
        if name != "testcase" or self._case is None:
            return
        if self._outcome:
            self._counts[self._outcome] += 1
            if self._outcome != "skipped" and len(self._failing) < _MOST_NAMED:
                self._failing.append(short(self._case, 200))
        self._case = None

    def report(self) -> ForeignReport:
        return ForeignReport(
            form="junit",
            kind="test",
            tool=short(self._suites[0] if self._suites else "", 80) or "tests",
            configuration=short(" ".join(sorted(set(self._suites)))),
            tests=ToldTests(seconds=self._seconds, failing=tuple(self._failing), **self._counts),
            seconds=self._seconds,
        )


def _number(text: str) -> float:
    """Seconds as runners write them: with a comma for thousands at times."""
    try:
        seconds = float(text.replace(",", ""))
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and 0 <= seconds < 1e7 else 0.0
