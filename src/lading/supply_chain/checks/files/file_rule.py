"""A rule about files of one form, together with the check that finds where it is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from lading.kernel.severity import Severity
from lading.supply_chain.checks.rule import Rule

Form = TypeVar("Form")


class Spot(NamedTuple):
    """Where in a file a rule is broken (lines count from one), and what is so there, without any secret value."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class FileRule(Generic[Form]):
    """A rule and its check. Checks are pure, and read the file at most a few times over."""

    rule: Rule
    check: Callable[[Form], Iterable[Spot]]


def declare(
    check: Callable[[Form], Iterable[Spot]],
    identity: str,
    severity: Severity,
    title: str,
    why: str,
    remedy: str,
    *references: str,
) -> FileRule[Form]:
    """A rule with its check, as the tables of rules write them."""
    rule = Rule(
        id=identity, kind="misconfiguration", title=title, severity=severity, why=why, remedy=remedy,
        references=references,
    )  # fmt: skip
    return FileRule(rule, check)
