"""What a report of another tool comes to. Texts are cut to a length here, so that nothing after this has to."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from lading.kernel.severity import Severity

Kind = Literal["vulnerability", "code", "dynamic", "secret", "misconfiguration", "licence", "inventory", "test"]
KINDS: Final[tuple[Kind, ...]] = (
    "vulnerability", "code", "dynamic", "secret", "misconfiguration", "licence", "inventory", "test",
)  # fmt: skip
MOST_RESULTS: Final = 100_000
_MOST: Final = 500


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One result: a flaw of a package (`kind` is `vulnerability`), or what a rule of the tool found in a file.

    `id` is a CVE or the like, or the id of the rule; `line` counts from one, zero when the tool names none.
    """

    kind: Kind
    id: str
    severity: Severity
    message: str = ""
    aliases: tuple[str, ...] = ()
    package: str = ""
    version: str = ""
    purl: str = ""
    fixed: str = ""
    score: float = 0.0
    file: str = ""
    line: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Every id of the flaw."""
        return tuple(dict.fromkeys((self.id, *self.aliases)))


class ToldTests(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What tests came to. `failing` names the first failures and errors; `seconds` is what they took."""

    total: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0
    failing: tuple[str, ...] = ()


class ForeignReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A report. `configuration` names how the tool was set, as far as the report shows it; `subjects` are the digests
    that the report says it is about; `seconds` what the tool took, zero when it does not say; `components` how many
    packages it lists."""

    form: str
    kind: Kind
    tool: str
    version: str = ""
    configuration: str = ""
    subjects: tuple[str, ...] = ()
    results: tuple[Told, ...] = ()
    tests: ToldTests | None = None
    components: int = 0
    seconds: float = 0.0


def short(text: object, most: int = _MOST) -> str:
    """A text of a report as it is kept: without control characters, on one line, cut."""
    return " ".join("".join(one if one.isprintable() else " " for one in str(text)[: 4 * most]).split())[:most]
