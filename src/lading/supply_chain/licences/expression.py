"""Licence expressions (SPDX 2.3, annex D): terms joined by AND and OR, and how a judgement of terms becomes one of all.

`OR` lets one choose, so the mildest part counts; `AND` asks for all, so the severest does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from lading.kernel.errors import InvalidInput

Operator = Literal["AND", "OR"]
_TOKEN: Final = re.compile(r"\s*(\(|\)|[A-Za-z0-9.+:-]+)")
# What begins so is no licence of SPDX's list.
OWN: Final = "LicenseRef-"
_OPEN: Final = "("
_CLOSE: Final = ")"
_MOST_TOKENS: Final = 400
_MOST_NESTING: Final = 20


class Malformed(InvalidInput):
    """A text is no expression."""


class Term(msgspec.Struct, frozen=True, order=True):
    """One licence, with an exception where it has one. `licence` may end in `+`: this version or a later one."""

    licence: str
    exception: str = ""

    def __str__(self) -> str:
        return f"{self.licence} WITH {self.exception}" if self.exception else self.licence


class Group(msgspec.Struct, frozen=True):
    """Several parts that all hold, or of which one may be chosen."""

    operator: Operator
    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return f" {self.operator} ".join(
            f"({part})" if isinstance(part, Group) else str(part) for part in self.parts
        )  # fmt: skip


Expression = Term | Group


def joined(operator: Operator, parts: Sequence[Expression]) -> Expression:
    """Parts as one expression, in a fixed order and each once; raises ValueError for none."""
    flat: dict[str, Expression] = {}
    for part in parts:
        inner = part.parts if isinstance(part, Group) and part.operator == operator else (part,)
        flat.update((str(one), one) for one in inner)
    if not flat:
        raise ValueError("no part of an expression")
    some = [flat[key] for key in sorted(flat, key=lambda key: (key.startswith(OWN), key.lower(), key))]
    return some[0] if len(some) == 1 else Group(operator, tuple(some))


def parse(text: str, term: Callable[[str, str], Expression]) -> Expression:
    """An expression; `term` makes one of a licence and an exception (or an empty text), and may refuse with Malformed.

    Raises:
        Malformed: it breaks the grammar, or is longer or deeper than anything sensible.
    """
    return _Parser(_tokens(text), term).whole()


def terms(expression: Expression) -> Iterator[Term]:
    """Every term, in order."""
    if isinstance(expression, Term):
        yield expression
        return
    for part in expression.parts:
        yield from terms(part)


def judged(expression: Expression, rank: Callable[[Term], int]) -> int:
    """The rank of an expression from those of its terms, where a higher one is worse."""
    if isinstance(expression, Term):
        return rank(expression)
    ranks = [judged(part, rank) for part in expression.parts]
    return min(ranks) if expression.operator == "OR" else max(ranks)


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    text = text.strip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None or len(found) >= _MOST_TOKENS:
            raise Malformed(f"{text[:80]!r} is no licence expression.")
        found.append(token[1])
        at = token.end()
    return found


class _Parser:
    def __init__(self, tokens: list[str], term: Callable[[str, str], Expression]) -> None:
        self._tokens = tokens
        self._at = 0
        self._term = term

    def whole(self) -> Expression:
        expression = self._either(0)
        if self._peek():
            raise Malformed(f"{self._peek()[:80]!r} is not expected in a licence expression.")
        return expression

    def _either(self, depth: int) -> Expression:
        if depth > _MOST_NESTING:
            raise Malformed("A licence expression has too many parentheses in each other.")
        return self._operands("OR", lambda: self._operands("AND", lambda: self._operand(depth)))

    def _operands(self, operator: Operator, operand: Callable[[], Expression]) -> Expression:
        parts = [operand()]
        while self._peek().upper() == operator:
            self._at += 1
            parts.append(operand())
        return joined(operator, parts)

    def _operand(self, depth: int) -> Expression:
        token = self._next()
        if token == _OPEN:
            inner = self._either(depth + 1)
            if self._next() != _CLOSE:
                raise Malformed("A parenthesis is not closed in a licence expression.")
            return inner
        if token == _CLOSE or token.upper() in ("AND", "OR", "WITH"):
            raise Malformed(f"{token[:80]!r} stands where a licence is expected.")
        if self._peek().upper() != "WITH":
            return self._term(token, "")
        self._at += 1
        return self._term(token, self._next())

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise Malformed("A licence expression ends too early.")
        self._at += 1
        return token
