"""Comments by which a file accepts a weakness of its own: `# lading:ignore RULE why it may be so`.

Such a comment holds for its own line, or for the next line that is no comment. Without a reason it counts for nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_MARK: Final = "lading:ignore"
_COMMENT: Final = re.compile(r"(?P<before>^|.*?\s)#\s*lading:ignore(?:\s+(?P<rules>\S+))?(?:\s+(?P<reason>.*\S))?\s*$")
_MOST: Final = 10_000


@dataclass(slots=True)
class Acceptances:
    """What a file accepts: reasons by line and rule, and sentences about comments that count for nothing."""

    reasons: dict[tuple[int, str], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def reason(self, rule: str, *lines: int) -> str:
        """Why a rule may be broken on one of the lines; nothing where nobody says so."""
        return next((self.reasons[line, rule] for line in lines if (line, rule) in self.reasons), "")


def read_acceptances(path: str, text: str, known: frozenset[str], *, own_line_only: bool) -> Acceptances:
    """The comments of a file.

    Args:
        known: ids of rules; a comment that names another is told.
        own_line_only: a comment has to be alone on its line, as in Dockerfiles.
    """
    found = Acceptances()
    if _MARK not in text:
        return found
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        match = _COMMENT.match(line.rstrip("\r")) if _MARK in line else None
        if match is None or len(found.reasons) >= _MOST:
            continue
        alone = not match["before"].strip()
        if own_line_only and not alone:
            continue
        target = _next_line(lines, number) if alone else number
        for rule in (match["rules"] or "").split(","):
            if rule not in known:
                found.notes.append(f"{path}:{number}: lading:ignore names no rule {rule[:80]!r}")
            elif not match["reason"]:
                found.notes.append(f"{path}:{number}: lading:ignore {rule} gives no reason, so it counts for nothing")
            else:
                found.reasons[target, rule] = match["reason"][:500]
    return found


def _next_line(lines: list[str], number: int) -> int:
    """The next line that is neither empty nor a comment, counted from one."""
    for place in range(number, min(len(lines), number + 100)):
        stripped = lines[place].strip()
        if stripped and not stripped.startswith("#"):
            return place + 1
    return number
