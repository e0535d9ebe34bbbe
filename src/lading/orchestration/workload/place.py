"""Where in the files a key stands, for messages that lead the reader to the line."""

from __future__ import annotations

from collections.abc import Sequence

from lading.orchestration.errors import ComposeInvalid
from lading.orchestration.workload.yaml_file import YamlFile


class Place:
    """A key of the merged files. The last file that has it counts, because it won."""

    def __init__(self, files: Sequence[YamlFile], path: tuple[str | int, ...] = ()) -> None:
        self._files = files
        self._path = path

    def __str__(self) -> str:
        found = [(*file.find(self._path), file.name) for file in self._files]
        deepest = max(depth for depth, _, _ in found)
        line, name = next((line, name) for depth, line, name in reversed(found) if depth == deepest)
        dotted = ".".join(str(part) for part in self._path)
        return f"{name}:{line}: {dotted}" if dotted else name

    def below(self, *parts: str | int) -> Place:
        """A key further down; a dotted part stands for several."""
        more = [piece for part in parts for piece in (part.split(".") if isinstance(part, str) else [part])]
        return Place(self._files, (*self._path, *more))

    def key(self, name: str) -> Place:
        """The key of this very name, dots and all: names that users choose may have dots."""
        return Place(self._files, (*self._path, name))

    def wrong(self, key: str, what: str, remedy: str) -> ComposeInvalid:
        """The error about a key below this place, or about the place itself."""
        return ComposeInvalid(f"{self.below(key) if key else self} {what}.", remedy=remedy)
