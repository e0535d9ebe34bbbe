"""Files that declare images and workloads, checked wherever they lie, as the result that every form is written from."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from lading.kernel.clock import timestamp
from lading.supply_chain.checks.declared import FileKind, FilesChecked, Source, check_sources
from lading.supply_chain.checks.declared.walking import Walk, named_file
from lading.supply_chain.inventory.catalogers import VERSION
from lading.supply_chain.inventory.values import ImageInventory
from lading.supply_chain.report.result import AcceptedWeakness, ScanResult
from lading.supply_chain.scan.errors import TargetInvalid, TargetUnknown
from lading.supply_chain.scan.ignoring import Ignored, sort_out_weaknesses

STANDARD_INPUT: Final = "standard-input"


def check_paths(
    paths: Sequence[Path],
    *,
    given: bytes | None = None,
    kind: FileKind | None = None,
    ignored: Sequence[Ignored] = (),
    now: datetime.datetime,
    version: str,
) -> ScanResult:
    """Check files and directories, all together: what one of them says can answer for another.

    Args:
        given: the content of standard input, checked too.
        kind: what the files are, where their names and contents do not tell.
        ignored: weaknesses that were accepted.

    Raises:
        TargetUnknown: a path does not exist.
        TargetInvalid: a file that was named is none that can be checked.
    """
    sources = [] if given is None else [Source(STANDARD_INPUT, given, named=True)]
    gaps: list[str] = []
    for path in paths:
        found, missed = sources_of(path, str(path))
        sources += found
        gaps += missed
    checked = check_sources(sources, kind)
    if checked.strangers:
        raise TargetInvalid(
            f"{checked.strangers[0]} is no Dockerfile, Compose file or Kubernetes manifest.",
            remedy="If it is one of them, say so: --as dockerfile, --as compose or --as kubernetes.",
        )
    name = ", ".join(map(str, paths[:3])) or STANDARD_INPUT
    if not checked.checked and not checked.gaps and not gaps:
        gaps.append(f"nothing-checked: {name} holds no Dockerfile, Compose file or Kubernetes manifest")
    result = ScanResult(
        name=name,
        kind="files",
        digest=_digest(sources),
        made=timestamp(now),
        lading=version,
        inventory=ImageInventory(image="", cataloger_version=VERSION, layers=()),
        gaps=tuple(gaps),
    )
    return with_files(result, checked, ignored, now.astimezone(datetime.UTC).date())


def sources_of(path: Path, prefix: str = "") -> tuple[list[Source], tuple[str, ...]]:
    """The files of a directory, or the one that is named, and what could not be seen.

    Args:
        prefix: what stands before the names of a directory's files.

    Raises:
        TargetUnknown: the path does not exist.
    """
    if path.is_dir():
        walk = Walk(path, "" if prefix in ("", ".") else prefix.rstrip("/") + "/")
        return list(walk), tuple(walk.gaps)
    if not path.exists():
        raise TargetUnknown(f"There is no file or directory {path}.", remedy="Check the path.")
    return [named_file(path)], ()


def with_files(
    result: ScanResult, checked: FilesChecked, ignored: Sequence[Ignored], today: datetime.date
) -> ScanResult:
    """The result with what was found in files, as far as nobody accepts it."""
    stay, accepted, lapsed = sort_out_weaknesses(checked.weaknesses, ignored, today)
    return msgspec.structs.replace(
        result,
        weaknesses=(*result.weaknesses, *stay),
        accepted_weaknesses=(*result.accepted_weaknesses, *accepted, *accepted_in_files(checked)),
        lapsed=(*result.lapsed, *lapsed, *checked.notes),
        gaps=(*result.gaps, *checked.gaps),
    )


def accepted_in_files(checked: FilesChecked) -> tuple[AcceptedWeakness, ...]:
    """What the files themselves accept."""
    return tuple(AcceptedWeakness(weakness=one, reason=reason) for one, reason in checked.accepted)


def _digest(sources: Sequence[Source]) -> str:
    """One digest over names and contents, in the order in which they were found."""
    whole = hashlib.sha256()
    for source in sources:
        whole.update(f"{source.path}\0{len(source.content)}\0".encode())
        whole.update(source.content)
    return f"sha256:{whole.hexdigest()}"
