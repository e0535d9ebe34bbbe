"""A weakness: something in an image or in a file that describes one, that a rule of ours says should not be so.

It is no flaw: a flaw is publicly known, has an advisory and a version that mends it, and is a finding of `match`.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from lading.kernel.severity import Severity

Kind = Literal["secret", "misconfiguration", "licence", "end-of-life"]
KINDS: Final[tuple[Kind, ...]] = ("secret", "misconfiguration", "licence", "end-of-life")


class Weakness(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One weakness.

    `rule` is an id of ours that stays the same for good (`secret-github-token`, `image-runs-as-root`). `message` says
    what is so at this place, never the value of a secret; `remedy` what to do. `file` is a path relative to the root of
    the image or of the directory, `line` counts from one and is zero where there is none. `layer` is the digest of the
    layer that brought it, where there is one. `references` name the same in public catalogues (`CIS Docker 4.1`).
    """

    kind: Kind
    rule: str
    title: str
    severity: Severity
    message: str
    remedy: str = ""
    file: str = ""
    line: int = 0
    layer: str = ""
    references: tuple[str, ...] = ()

    def document(self, owner: str = "") -> dict[str, Any]:
        """It as policies see it."""
        return {
            "kind": self.kind,
            "rule": self.rule,
            "title": self.title,
            "severity": self.severity.label,
            "rank": int(self.severity),
            "message": self.message,
            "remedy": self.remedy,
            "file": self.file,
            "line": self.line,
            "layer": self.layer,
            "owner": owner,
            "references": list(self.references),
        }

    @property
    def place(self) -> str:
        """Where it is, for people: the file and the line, as far as there are any."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def key(self) -> str:
        """What tells it from every other weakness of the same subject."""
        return key_of(self.rule, self.file, self.line, self.message)


def key_of(rule: str, file: str, line: int, message: str) -> str:
    """The key of a weakness that is known by its parts only."""
    return f"{rule}:{file}:{line}:{message}"
