"""Ask every rule of a file's form, and set aside what the file itself accepts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from lading.supply_chain.checks.compose.file import ComposeFile
from lading.supply_chain.checks.compose.rules import CHECKS as COMPOSE
from lading.supply_chain.checks.declared.accepting import read_acceptances
from lading.supply_chain.checks.declared.kinds import FileKind
from lading.supply_chain.checks.declared.reading import Read, read_source
from lading.supply_chain.checks.declared.source import Source
from lading.supply_chain.checks.dockerfile.file import BuildFile
from lading.supply_chain.checks.dockerfile.rules import CHECKS as DOCKERFILE
from lading.supply_chain.checks.files.file_rule import FileRule, Form, Spot
from lading.supply_chain.checks.gathering import worst_first
from lading.supply_chain.checks.kubernetes.objects import ManifestFile, around
from lading.supply_chain.checks.kubernetes.rules import CHECKS as KUBERNETES
from lading.supply_chain.checks.rule import Rule
from lading.supply_chain.checks.weakness import Weakness

RULES: Final[tuple[Rule, ...]] = tuple(one.rule for checks in (DOCKERFILE, COMPOSE, KUBERNETES) for one in checks)
_KNOWN: Final = frozenset(rule.id for rule in RULES)
_MOST_OF_A_RULE: Final = 200


@dataclass(frozen=True, slots=True)
class FilesChecked:
    """What came out. `weaknesses` are worst first; `accepted` are those that a comment accepts, with its reason.

    `gaps` are sentences about what was not checked, `notes` about comments that count for nothing. `strangers` are
    files that somebody named and that are of none of the kinds; `checked` says how many files of each kind there were.
    """

    weaknesses: tuple[Weakness, ...] = ()
    accepted: tuple[tuple[Weakness, str], ...] = ()
    gaps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    checked: dict[FileKind, int] = field(default_factory=dict)


def check_sources(sources: Iterable[Source], kind: FileKind | None = None) -> FilesChecked:
    """Check files together; `kind` is what somebody says that they are, where names and contents do not tell."""
    files = [read_source(source, kind) for source in sources]
    together = around([read.form for read in files if isinstance(read.form, ManifestFile)])
    weak: list[Weakness] = []
    accepted: list[tuple[Weakness, str]] = []
    notes: list[str] = []
    counts: dict[FileKind, int] = {}
    for read in files:
        if isinstance(read.form, ManifestFile):
            read = replace(read, form=replace(read.form, around=together))
        if read.kind is not None and read.form is not None:
            counts[read.kind] = counts.get(read.kind, 0) + 1
            stay, taken, said = _judged(read)
            weak += stay
            accepted += taken
            notes += said
    return FilesChecked(
        tuple(sorted(weak, key=worst_first)),
        tuple(sorted(accepted, key=lambda pair: worst_first(pair[0]))),
        tuple(gap for read in files for gap in read.gaps),
        tuple(notes),
        tuple(read.source.path for read in files if read.source.named and read.kind is None and not read.gaps),
        counts,
    )


def _judged(read: Read) -> tuple[list[Weakness], list[tuple[Weakness, str]], list[str]]:
    acceptances = read_acceptances(read.source.path, read.text, _KNOWN, own_line_only=isinstance(read.form, BuildFile))
    begins = _beginnings(read.form) if isinstance(read.form, BuildFile) else {}
    stay: list[Weakness] = []
    taken: list[tuple[Weakness, str]] = []
    for rule, spots in _asked(read):
        listed = 0
        left: list[Spot] = []
        for spot in spots:
            reason = acceptances.reason(rule.id, spot.line, begins.get(spot.line, spot.line))
            weakness = rule.found(spot.message, file=read.source.path, line=spot.line)
            if reason and len(taken) < _MOST_OF_A_RULE:
                taken.append((weakness, reason))
            elif not reason and listed < _MOST_OF_A_RULE:
                stay.append(weakness)
                listed += 1
            elif not reason:
                left.append(spot)
        if left:
            said = f"{len(left)} more places are not listed, the first of them here"
            stay.append(rule.found(said, file=read.source.path, line=left[0].line))
    return stay, taken, acceptances.notes


def _asked(read: Read) -> Iterator[tuple[Rule, Iterator[Spot]]]:
    """Every rule of the form with the places where it is broken, each place once."""
    if isinstance(read.form, BuildFile):
        yield from _each(DOCKERFILE, read.form)
    elif isinstance(read.form, ComposeFile):
        yield from _each(COMPOSE, read.form)
    elif isinstance(read.form, ManifestFile):
        yield from _each(KUBERNETES, read.form)


def _each(checks: Sequence[FileRule[Form]], form: Form) -> Iterator[tuple[Rule, Iterator[Spot]]]:
    for one in checks:
        yield one.rule, iter(dict.fromkeys(islice(one.check(form), 100_000)))


def _beginnings(file: BuildFile) -> dict[int, int]:
    """For every line of an instruction the line on which it begins: a comment above it holds for all of it."""
    steps = [*file.before, *(step for stage in file.stages for step in (stage.begin, *stage.steps))]
    return {line: step.line for step in steps for line in range(step.instruction.first, step.instruction.last + 1)}
