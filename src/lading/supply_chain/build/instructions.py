"""Read a Dockerfile into its instructions: directives, continued lines, comments and here-documents.

No instruction is understood here; `dockerfile` reads what a build needs of them, `checks.dockerfile` what may be wrong.
Source: the Dockerfile reference ("Format", "Parser directives", "Here-documents").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lading.supply_chain.build.errors import DockerfileInvalid

MOST_BYTES: Final = 1 << 20
DIRECTIVE: Final = re.compile(r"#\s*(?P<name>syntax|escape|check)\s*=\s*(?P<value>\S.*)", re.IGNORECASE)
# As BuildKit reads it: a word of its own, without white space inside.
_HEREDOC: Final = re.compile(r"(?<!\S)\d*<<(?P<tabs>-?)(['\"]?)(?P<word>[A-Za-z_][A-Za-z0-9_]*)\2(?!\S)")
_WITH_HEREDOC: Final = frozenset({"RUN", "COPY", "ADD"})


@dataclass(frozen=True, slots=True)
class Document:
    """A here-document: its lines without the one that ends it; `first` is the number of the first."""

    word: str
    first: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction with its arguments joined to one line; `first` to `last` are its lines, counted from 1.

    `parts` are the continued lines one by one with their numbers, keyword included, without comments and escapes.
    """

    keyword: str
    arguments: str
    first: int
    last: int
    parts: tuple[tuple[int, str], ...] = ()
    documents: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True)
class Instructions:
    """All of a file; `escape` is what continues a line, `frontend` what a `syntax` directive asks for."""

    escape: str
    frontend: str
    listed: tuple[Instruction, ...]


def read_instructions(text: str, name: str = "Dockerfile") -> Instructions:
    """Read the instructions of a Dockerfile.

    Raises:
        DockerfileInvalid: it is larger than 1 MiB, or a line is no instruction; names the file and the line.
    """
    if len(text) > MOST_BYTES:
        raise DockerfileInvalid(f"{name} is larger than 1 MiB.")
    lines = text.removeprefix("\ufeff").split("\n")
    escape, frontend = _directives(lines)
    found, number = [], 0
    while number < len(lines):
        stripped = lines[number].strip()
        if not stripped or stripped.startswith("#"):
            number += 1
            continue
        instruction, number = _instruction(lines, number, escape, name)
        found.append(instruction)
    return Instructions(escape, frontend, tuple(found))


def _instruction(lines: list[str], number: int, escape: str, name: str) -> tuple[Instruction, int]:
    first = number
    parts: list[tuple[int, str]] = []
    while number < len(lines):
        line = lines[number].rstrip(" \t\r")
        number += 1
        if parts and (not line.strip() or line.lstrip().startswith("#")):
            continue
        continued = line.endswith(escape) and not line.endswith(escape * 2)
        parts.append((number, line.removesuffix(escape).strip() if continued else line.strip()))
        if not continued:
            break
    joined = " ".join(part for _, part in parts if part)
    keyword, arguments = (*joined.split(None, 1), "", "")[:2]
    if not keyword.isalpha():
        raise DockerfileInvalid(f"{name}:{first + 1}: {keyword[:40]!r} is not an instruction.")
    documents = _documents(lines, number, keyword.upper(), arguments, name)
    if documents:
        number = documents[-1].first + len(documents[-1].lines)
    return Instruction(keyword.upper(), arguments.strip(), first + 1, number, tuple(parts), documents), number


def _documents(lines: list[str], number: int, keyword: str, arguments: str, name: str) -> tuple[Document, ...]:
    """The here-documents that an instruction opens, one after another; `number` is the line after it, from zero."""
    if keyword == "ONBUILD":
        keyword, _, arguments = arguments.partition(" ")
    if keyword.upper() not in _WITH_HEREDOC:
        return ()
    found = []
    for match in _HEREDOC.finditer(arguments):
        opened = number
        while number < len(lines):
            line = lines[number].rstrip("\r")
            number += 1
            if (line.lstrip("\t") if match["tabs"] else line) == match["word"]:
                break
        else:
            raise DockerfileInvalid(f"{name}:{opened}: the here-document {match['word']} does not end.")
        body = tuple(line.rstrip("\r") for line in lines[opened : number - 1])
        found.append(Document(match["word"], opened + 1, body))
    return tuple(found)


def _directives(lines: list[str]) -> tuple[str, str]:
    escape, frontend = "\\", ""
    for line in lines:
        match = DIRECTIVE.fullmatch(line.strip())
        if match is None:
            break
        if match["name"].lower() == "escape" and match["value"].strip() == "`":
            escape = "`"
        if match["name"].lower() == "syntax":
            frontend = match["value"].strip()
    return escape, frontend
