"""A rule: what must not be so, how bad it is, why, and what to do. Every weakness is found by one."""

from __future__ import annotations

import msgspec

from lading.kernel.severity import Severity
from lading.supply_chain.checks.weakness import Kind, Weakness


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. `id` stays the same for good: ignore files, policies and dashboards name it.

    `why` is a sentence for people who meet the rule for the first time; `references` name the same in public
    catalogues.
    """

    id: str
    kind: Kind
    title: str
    severity: Severity
    why: str
    remedy: str
    references: tuple[str, ...] = ()

    def found(
        self, message: str, *, file: str = "", line: int = 0, layer: str = "", severity: Severity | None = None
    ) -> Weakness:
        """The weakness that this is so at one place; `severity` where the place makes it better or worse."""
        return Weakness(
            kind=self.kind,
            rule=self.id,
            title=self.title,
            severity=self.severity if severity is None else severity,
            message=message,
            remedy=self.remedy,
            file=file,
            line=line,
            layer=layer,
            references=self.references,
        )
