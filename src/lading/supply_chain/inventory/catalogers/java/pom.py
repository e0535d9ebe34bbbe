"""`pom.xml` as far as an inventory needs it: the project's own coordinates, its parent's, and its licences."""

from __future__ import annotations

from typing import Final
from xml.parsers import expat

_FIELDS: Final = frozenset(
    {
        "project/groupId", "project/artifactId", "project/version",
        "project/parent/groupId", "project/parent/version", "project/licenses/license/name",
    }
)  # fmt: skip
_MOST_DEPTH: Final = 200
_MOST_TEXT: Final = 300
_MOST_VALUES: Final = 20


class _Stop(Exception):
    """Reading ends here: what follows is of no use, or the document is up to something."""


class PomReader:
    """Collects the fields above. A document type, and with it every entity of its own, ends the reading."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}
        self._path: list[str] = []
        self._text: list[str] | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self, content: bytes) -> dict[str, list[str]]:
        """Values by their path; what came before damage is kept."""
        try:
            self._parser.Parse(content, True)
        except (expat.ExpatError, _Stop, ValueError):
            return self.found
        return self.found

    def _start(self, name: str, attributes: object) -> None:
        del attributes
        if len(self._path) >= _MOST_DEPTH:
            raise _Stop
        self._path.append(name.rpartition(":")[2])
        self._text = [] if len(self._path) <= 4 and "/".join(self._path) in _FIELDS else None

    def _end(self, name: str) -> None:
        del name
        if self._text is not None:
            values = self.found.setdefault("/".join(self._path), [])
            if len(values) < _MOST_VALUES:
                values.append("".join(self._text).strip()[:_MOST_TEXT])
        self._text = None
        self._path.pop()

    def _characters(self, text: str) -> None:
        if self._text is not None and len(self._text) < _MOST_TEXT:
            self._text.append(text[:_MOST_TEXT])

    def _doctype(self, *_: object) -> None:
        raise _Stop
