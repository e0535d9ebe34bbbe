"""A file that may have to be checked, with what its surroundings say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What a file is part of that has to be rendered before it means anything.
PartOf = Literal["", "chart", "patch"]


@dataclass(frozen=True, slots=True)
class Source:
    """One file. `path` is what reports call it, relative and with `/`.

    `named` says that somebody asked for this very file, `trouble` why it could not be read. `has_ignore_file` tells
    whether a .dockerignore lies beside it, None where nobody knows.
    """

    path: str
    content: bytes = b""
    named: bool = False
    trouble: str = ""
    part_of: PartOf = ""
    has_ignore_file: bool | None = None

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]
