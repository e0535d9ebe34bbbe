"""`META-INF/MANIFEST.MF`: the main section of a jar's manifest (JAR File Specification, "Manifest Specification")."""

from __future__ import annotations

from typing import Final

_MOST_HEADERS: Final = 2_000


def parse_manifest(content: bytes) -> dict[str, str]:
    """Headers of the main section by name in lower case; a line that starts with a blank goes on with the one above."""
    headers: dict[str, str] = {}
    name, parts = "", list[str]()
    text = content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    for line in text.split("\n", _MOST_HEADERS)[:_MOST_HEADERS]:
        if line.startswith(" ") and name:
            parts.append(line[1:])
            continue
        if name:
            headers.setdefault(name, "".join(parts).strip())
        if not line:
            return headers
        name, colon, value = line.partition(":")
        name, parts = (name.strip().lower() if colon else ""), [value]
    if name:
        headers.setdefault(name, "".join(parts).strip())
    return headers
