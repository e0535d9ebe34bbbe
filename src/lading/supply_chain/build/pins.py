"""Raise an exact version in the files where developers pin it, touching nothing else of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

_MOST_BYTES: Final = 4 << 20
_PYTHON_FILES: Final = ("requirements*.txt", "constraints*.txt")


class PinChange(msgspec.Struct, frozen=True, kw_only=True):
    """One line that pins a package: before and after. `file` is relative to the source."""

    file: str
    line: int
    before: str
    after: str


def raise_pins(directory: Path, ecosystem: str, package: str, fixed: str) -> list[PinChange]:
    """Raise every exact pin of `package` below `directory` to `fixed`; returns what was changed, empty for nothing."""
    editor = _EDITORS.get(ecosystem)
    return list(editor(directory, package, fixed)) if editor else []


def _python(directory: Path, package: str, fixed: str) -> Iterator[PinChange]:
    name = re.sub(r"[-_.]+", "[-_.]+", re.escape(package).replace(r"\-", "-").replace(r"\.", "."))
    pin = re.compile(rf"^(?P<head>\s*{name}\s*(?:\[[^\]]*\])?\s*===?\s*)(?P<version>[^\s;#\\]+)", re.IGNORECASE)
    for pattern in _PYTHON_FILES:
        for path in sorted(directory.rglob(pattern)):
            yield from _edit(directory, path, pin, fixed)


def _npm(directory: Path, package: str, fixed: str) -> Iterator[PinChange]:
    pin = re.compile(rf'^(?P<head>\s*"{re.escape(package)}"\s*:\s*"[\^~=]?)(?P<version>\d[^"]*)')
    for path in sorted(directory.rglob("package.json")):
        yield from _edit(directory, path, pin, fixed)


def _edit(directory: Path, path: Path, pin: re.Pattern[str], fixed: str) -> Iterator[PinChange]:
    if path.is_symlink() or path.stat().st_size > _MOST_BYTES:
        return
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    changed = []
    for number, line in enumerate(lines):
        match = pin.match(line)
        if match is None or match["version"] == fixed:
            continue
        lines[number] = f"{match['head']}{fixed}{line[match.end() :]}"
        name = path.relative_to(directory).as_posix()
        changed.append(PinChange(file=name, line=number + 1, before=line.strip(), after=lines[number].strip()))
    if changed:
        path.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
    yield from changed


_EDITORS: Final[dict[str, Callable[[Path, str, str], Iterator[PinChange]]]] = {"PyPI": _python, "npm": _npm}
