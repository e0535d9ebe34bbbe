"""Which package archives this machine trusts for one release: read from apt's own configuration.

The addresses are used to download and go no further: neither images nor provenance carry a mirror's name.
Source: sources.list(5), one-line and deb822 style.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ONE_LINE: Final = re.compile(
    r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)"
)
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, order=True)
class AptSource:
    """One archive: where it is, which suite of it, and the keyring that signs it (empty: apt's own trust)."""

    uri: str
    suite: str
    components: str
    signed_by: str = ""

    def stanza(self) -> str:
        """The source in deb822 style."""
        lines = ["Types: deb", f"URIs: {self.uri}", f"Suites: {self.suite}", f"Components: {self.components}"]
        if self.signed_by:
            lines.append(f"Signed-By: {self.signed_by}")
        return "\n".join(lines) + "\n"


def sources_for(release: str, etc: Path = Path("/etc/apt")) -> tuple[AptSource, ...]:
    """The archives of `release`, its updates and its security updates; component `main` only. Sorted, each once."""
    suites = {release, f"{release}-updates", f"{release}-security", f"{release}/updates"}
    files = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    found = {
        AptSource(source.uri, source.suite, "main", source.signed_by)
        for file in files
        for source in _read(file)
        if source.suite in suites and "main" in source.components.split()
    }
    return tuple(sorted(found))


def _read(file: Path) -> Iterator[AptSource]:
    if file.suffix not in (".list", ".sources") or not file.is_file():
        return
    try:
        text = file.read_bytes()[:_MOST_BYTES].decode("utf-8", errors="replace")
    except OSError:
        return
    yield from _deb822(text) if file.suffix == ".sources" else _one_line(text)


def _one_line(text: str) -> Iterator[AptSource]:
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match is not None:
            options = dict(option.split("=", 1) for option in (match["options"] or "").split() if "=" in option)
            yield AptSource(match["uri"], match["suite"].rstrip("/"), match["components"], options.get("signed-by", ""))


def _deb822(text: str) -> Iterator[AptSource]:
    for paragraph in re.split(r"\n\s*\n", text):
        fields = paragraph_fields(paragraph)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        key = fields.get("signed-by", "")
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                # A key written into the file itself spans lines and cannot be named; apt's own trust decides then.
                yield AptSource(uri, suite, fields.get("components", ""), key if key.startswith("/") else "")


def paragraph_fields(paragraph: str) -> dict[str, str]:
    """The fields of one deb822 paragraph, names in lower case, continuation lines joined by newlines."""
    fields: dict[str, str] = {}
    name = ""
    for line in paragraph.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in (" ", "\t"):
            if name:
                fields[name] = f"{fields[name]}\n{line.strip()}".strip()
            continue
        head, colon, rest = line.partition(":")
        if colon:
            name = head.strip().lower()
            fields[name] = rest.strip()
    return fields
