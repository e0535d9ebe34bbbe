"""Find the files to check: those that were named, and those in directories, within bounds. Links are not followed.

Directories of installed packages and of version control are passed over: what lies there was written by others. Helm
charts and kustomizations are told once each, and files that only patch others are not taken for whole ones.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lading.supply_chain.checks.declared.kinds import KUSTOMIZATIONS, kind_by_content, kind_by_name, may_be_kind
from lading.supply_chain.checks.declared.source import PartOf, Source
from lading.supply_chain.checks.files.documents import MOST_BYTES, read_documents
from lading.supply_chain.checks.files.node import Node

_SKIPPED: Final = frozenset({
    ".git", ".hg", ".svn", "node_modules", "site-packages", "dist-packages", "vendor", ".venv", "venv", ".tox",
    "__pycache__", ".terraform", ".cache", ".mypy_cache", ".pytest_cache", ".ruff_cache",
})  # fmt: skip
_MOST_ENTRIES: Final = 200_000
_MOST_FILES: Final = 20_000
_MOST_KUSTOMIZATION: Final = 1 << 20
_HEAD: Final = 1 << 16


class Walk:
    """The sources below a directory. `gaps` is complete when the iteration has ended."""

    def __init__(self, root: Path, prefix: str = "") -> None:
        self.gaps: list[str] = []
        self._root = root
        self._prefix = prefix
        self._entries = 0
        self._files = 0
        self._patches: set[str] = set()

    def __iter__(self) -> Iterator[Source]:
        """Depth first, names in order."""
        waiting: list[tuple[str, bool]] = [("", False)]
        while waiting:
            below, in_templates = waiting.pop()
            entries = self._listed(below)
            names = {entry.name for entry in entries}
            self._kustomization(below, names)
            is_chart = "Chart.yaml" in names
            if is_chart and any(entry.name == "templates" and entry.is_dir(follow_symlinks=False) for entry in entries):
                where = below.rstrip("/") or "."
                self._gap(where, f"a Helm chart was not rendered: helm template {self._prefix}{where} | lading check -")
            inner: list[tuple[str, bool]] = []
            for entry in entries:
                self._entries += 1
                if self._entries > _MOST_ENTRIES or self._files > _MOST_FILES:
                    self._gap(".", f"it has more than {_MOST_ENTRIES} entries or {_MOST_FILES} files; not all was seen")
                    return
                path = f"{below}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _SKIPPED:
                        inner.append((path + "/", in_templates or (is_chart and entry.name == "templates")))
                elif entry.is_file(follow_symlinks=False) and may_be_kind(entry.name) and not in_templates:
                    source = self._source(path, names)
                    if source is not None:
                        self._files += 1
                        yield source
            waiting += reversed(inner)

    def _listed(self, below: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._root / below) as found:
                return sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            self._gap(below.rstrip("/") or ".", f"the directory cannot be listed: {error.strerror}")
            return []

    def _source(self, path: str, beside: set[str]) -> Source | None:
        part_of: PartOf = "patch" if path in self._patches else ""
        return read_file(
            self._root / path,
            shown(self._prefix + path),
            part_of=part_of,
            has_ignore_file=_has_ignore_file(path, beside),
        )

    def _kustomization(self, below: str, names: set[str]) -> None:
        for name in sorted(names & KUSTOMIZATIONS):
            where = below.rstrip("/") or "."
            self._gap(
                where, f"a kustomization was not rendered: kustomize build {self._prefix}{where} | lading check -"
            )
            source = read_file(self._root / below / name, name)
            if source is not None and len(source.content) <= _MOST_KUSTOMIZATION:
                text = source.content.decode("utf-8", "replace")
                for node in read_documents(text).nodes:
                    self._patches |= {os.path.normpath(f"{below}{patch}") for patch in patches_of(node)}

    def _gap(self, path: str, why: str) -> None:
        if len(self.gaps) < 1_000:
            self.gaps.append(f"file-not-checked: {shown(self._prefix + path)}: {why}")


def patches_of(node: Node) -> Iterator[str]:
    """The files that a kustomization changes others by."""
    for item in node["patches"]:
        yield from filter(None, [item["path"].text])
    for item in node["patchesJson6902"]:
        yield from filter(None, [item["path"].text])
    for key in ("patchesStrategicMerge", "configurations", "transformers", "replacements"):
        for item in node[key]:
            yield from filter(None, [item.text if item.scalar is not None else item["path"].text])


def named_file(path: Path) -> Source:
    """A file that somebody named; a link is followed, because it was named."""
    beside = {entry.name for entry in os.scandir(path.parent)} if path.parent.is_dir() else set()
    in_chart = path.parent.name == "templates" and (path.parent.parent / "Chart.yaml").is_file()
    found = read_file(
        path, shown(str(path)), named=True, part_of="chart" if in_chart else "",
        has_ignore_file=_has_ignore_file(path.name, beside),
    )  # fmt: skip
    return found if found is not None else Source(shown(str(path)), named=True)


def read_file(
    path: Path, name: str, *, named: bool = False, part_of: PartOf = "", has_ignore_file: bool | None = None
) -> Source | None:
    """Read a file, one byte more than what is checked at most. None where it is no file of ours by name and head."""
    try:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if named else os.O_NOFOLLOW)
        with os.fdopen(os.open(path, flags), "rb") as handle:
            if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                return Source(name, named=named, trouble="it is no regular file")
            head = handle.read(_HEAD)
            telling = kind_by_name(path.name) is not None or path.name in KUSTOMIZATIONS
            whole = head + handle.read(MOST_BYTES + 1 - len(head))
    except OSError as error:
        return Source(name, named=named, trouble=f"it cannot be read: {error.strerror}")
    if not named and not telling and kind_by_content(whole) is None:
        return None
    return Source(name, whole, named, "", part_of, has_ignore_file)


def _has_ignore_file(path: str, beside: set[str]) -> bool:
    name = path.rpartition("/")[2]
    return bool({".dockerignore", ".containerignore", f"{name}.dockerignore", f"{name}.containerignore"} & beside)


def shown(path: str) -> str:
    """A path for reports: with `/`, and printable whatever bytes its name has."""
    clean = path.removeprefix("./").encode("utf-8", "backslashreplace").decode()
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in clean)
