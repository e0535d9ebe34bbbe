"""The rules about licences. They speak only where an organisation has a policy on them."""

from __future__ import annotations

from typing import Final

from lading.kernel.severity import Severity
from lading.supply_chain.checks.rule import Rule

DENIED: Final = Rule(
    id="licence-denied",
    kind="licence",
    title="A package is under a licence that the policy denies",
    severity=Severity.HIGH,
    why="Whoever passes the image on is bound by what the licence asks for, or has no right to pass it on at all.",
    remedy="Leave the package out, use another one, or have the licence policy accept it with a reason.",
)
TO_REVIEW: Final = Rule(
    id="licence-to-review",
    kind="licence",
    title="Somebody has to look at the licence of a package",
    severity=Severity.LOW,
    why="The policy leaves this licence to a person, because it depends on how the package is used.",
    remedy="Have it looked at, and write the outcome into the licence policy.",
)
UNKNOWN: Final = Rule(
    id="licence-unknown",
    kind="licence",
    title="It is not known under which licence packages are",
    severity=Severity.LOW,
    why="What nobody said may be anything: without a licence there is no right to use or to pass on.",
    remedy="Find out, and write the packages into the licence policy.",
)

RULES: Final[tuple[Rule, ...]] = (DENIED, TO_REVIEW, UNKNOWN)
