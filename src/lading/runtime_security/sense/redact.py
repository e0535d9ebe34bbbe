"""Evidence is kept for ever, so what looks like a secret in a command line is not kept."""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final = (
    r"pass(?:word|wd|phrase)?|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?|auth(?:orization)?"
)
_RULES: Final = (
    # NAME=value, --name=value, name: value
    (
        re.compile(rf"(?i)([\w.-]*(?:{_WORDS})[\w.-]*\s*[=:]\s*)(?:(?:bearer|basic)\s+)?(\"[^\"]*\"|'[^']*'|\S+)"),
        r"\1[redacted]",
    ),
    # --name value
    (re.compile(rf"(?i)(--?[\w-]*(?:{_WORDS})\s+)(\"[^\"]*\"|'[^']*'|[^\s-]\S*)"), r"\1[redacted]"),
    # scheme://user:password@host
    (re.compile(r"(\w+://[^/\s:@]+:)[^@\s/]+@"), r"\1[redacted]@"),
    # curl -u user:password
    (re.compile(r"(\s-u\s*[^\s:]+:)\S+"), r"\1[redacted]"),
    # Tokens with well-known heads, JSON web tokens, and long runs of hex or base64.
    (re.compile(r"\b(?:lad_|gh[pousr]_|glpat-|xox[abprs]-|AKIA|sk-)[\w-]{8,}"), "[redacted]"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), "[redacted]"),
    (re.compile(r"(?<![\w/])(?=[A-Za-z+/]*\d)(?=[\d+/]*[A-Za-z])[A-Za-z0-9+/]{40,}={0,2}(?![\w/])"), "[redacted]"),
)


def redact(command: str) -> str:
    """The command line without likely secrets; control characters become spaces."""
    text = "".join(character if character.isprintable() else " " for character in command[:8_192])
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
