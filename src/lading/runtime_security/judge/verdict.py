"""The port to policy: a document goes in, what it violates comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from lading.kernel.severity import Severity


class Violation(NamedTuple):
    """One rule that says no."""

    rule: str
    severity: Severity
    title: str
    message: str


class Verdict(NamedTuple):
    """Violations, worst meaning: none is silence. `decision` is the id of the kept decision."""

    decision: str
    violations: tuple[Violation, ...]


class Judge(Protocol):
    """Applies the rules of the stage `run`."""

    def decide(self, container: str, document: Mapping[str, Any]) -> Verdict:
        """Judge one document (`stage` run) about the container with this id; the decision is kept.

        Raises:
            LadingError: it could not be judged, which the caller must take as a violation.
        """
        ...


class StrictJudge:
    """A Judge without rules: whatever happens in a container must not happen."""

    def decide(self, container: str, document: Mapping[str, Any]) -> Verdict:  # noqa: ARG002 - the same for all
        kind = str(document["event"]["kind"])
        title = f"{kind} in a running container"
        return Verdict("", (Violation(f"no-{kind}", Severity.HIGH, title, title),))
