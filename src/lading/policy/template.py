"""Message templates: `{it.id} in {it.package}` filled from the input, and nothing else.

Not str.format: a rule file or an image must not reach attributes, and what an image says is shown to people, so every
value is bounded and cleaned of control characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from lading.policy.errors import PolicyInvalid
from lading.policy.paths import MISSING, PATH_PATTERN, lookup, steps

MOST_TEXT: Final = 2_000
_MOST_VALUE: Final = 200
_MOST_ITEMS: Final = 10
_HOLE: Final = re.compile(r"\{([^{}]*)\}")
_REFERENCE: Final = re.compile(rf"(it|input)(?:\.({PATH_PATTERN}))?")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template: literal texts and holes in turn, starting with a text."""

    texts: tuple[str, ...]
    holes: tuple[tuple[str | int, ...], ...]

    @classmethod
    def parse(cls, text: str, *, items: bool) -> Template:
        """Read a template; raises PolicyInvalid for stray braces, unknown references or `it` without `each`."""
        if len(text) > MOST_TEXT:
            raise PolicyInvalid(f"A text of {len(text)} characters is too long.", remedy=f"Use at most {MOST_TEXT}.")
        texts, holes, end = [], [], 0
        for match in _HOLE.finditer(text):
            reference = _REFERENCE.fullmatch(match[1])
            if reference is None:
                raise PolicyInvalid(
                    f"{match[0]!r} is not a place in the input.", remedy="Write {it.field} or {input.part.field}."
                )
            if reference[1] == "it" and not items:
                raise PolicyInvalid(f"{match[0]!r} speaks of an item.", remedy="Add `each:` or use {input.…}.")
            texts.append(text[end : match.start()])
            holes.append((reference[1], *steps(reference[2] or "")))
            end = match.end()
        texts.append(text[end:])
        if any("{" in part or "}" in part for part in texts):
            raise PolicyInvalid(f"{text[:80]!r} has a brace without its partner.", remedy="Write {it.field}.")
        return cls(tuple(texts), tuple(holes))

    def fill(self, scope: dict[str, Any]) -> str:
        """The text with every hole filled from `scope` (`it`, `input`); what is missing reads `(none)`."""
        parts = [self.texts[0]]
        for hole, text in zip(self.holes, self.texts[1:], strict=True):
            parts.append(shown(lookup(scope, hole)))
            parts.append(text)
        return "".join(parts)


def shown(value: Any) -> str:
    """A value of the input for people: one line, bounded, without control characters."""
    if value is MISSING or value is None or value == "":
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        rest = len(value) - _MOST_ITEMS
        listed = ", ".join(shown(item) for item in value[:_MOST_ITEMS])
        return (listed or "(none)") + (f" and {rest} more" if rest > 0 else "")
    text = (
        ", ".join(f"{key}={shown(item)}" for key, item in list(value.items())[:_MOST_ITEMS])
        if isinstance(value, dict)
        else str(value)
    )
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if len(text) <= _MOST_VALUE else text[: _MOST_VALUE - 1] + "…"
