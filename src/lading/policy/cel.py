"""The port to a CEL engine: compile once, evaluate often, and never take anything but true for true.

Two engines implement it (`cel_google`, `cel_rust`); their differences are what the differential tests look for. The
bounds on the source are ours and the same for both, because an engine may recurse on what it is given.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from lading.policy.errors import PolicyDoesNotCompile

MOST_EXPRESSION: Final = 4_000
MOST_BRACKETS: Final = 300
MOST_LOOPS: Final = 4
_MACROS: Final = (".all(", ".exists(", ".exists_one(", ".map(", ".filter(")


class Scope(Protocol):
    """The variables of one document, prepared once: `input`, and `it` for one item of it."""

    def with_item(self, item: Any) -> Scope:
        """The same document with `it` set to `item`; any number of such scopes may be kept and used in any order."""
        ...


class Program(Protocol):
    """A compiled expression."""

    def holds(self, scope: Scope) -> bool:
        """Whether the expression is true in `scope`.

        Raises:
            EvaluationFailed: it came to an error, or to something that is neither true nor false.
        """
        ...


class CelEngine(Protocol):
    """A library that understands the Common Expression Language."""

    name: str

    def compile(self, expression: str, *, items: bool) -> Program:
        """Compile `expression` over `input` and, when `items`, over `it`; both are of any type.

        Raises:
            PolicyDoesNotCompile: syntax error, unknown name, a result that cannot be a boolean, or too large.
        """
        ...

    def scope(self, document: dict[str, Any]) -> Scope:
        """Bind `document` (JSON values only) as `input`; `it` is null until an item is given."""
        ...


def bounded(expression: str) -> str:
    """The expression, when it is within the bounds; raises PolicyDoesNotCompile.

    Counting every bracket, in texts too, bounds the recursion of a parser without agreeing with it about quoting; loops
    bound the work of one evaluation, which is the size of the lists to the power of their nesting.
    """
    if not expression.strip():
        raise PolicyDoesNotCompile("The expression is empty.", remedy="Write a CEL expression that is true or false.")
    if not expression.isprintable() and any("\ud800" <= character <= "\udfff" for character in expression):
        raise PolicyDoesNotCompile("The expression is not Unicode text.", remedy="Save the rule file as UTF-8.")
    if len(expression) > MOST_EXPRESSION:
        raise PolicyDoesNotCompile(
            f"The expression has {len(expression)} characters.",
            remedy=f"Use at most {MOST_EXPRESSION}; split the rule.",
        )
    brackets = sum(expression.count(bracket) for bracket in "([{")
    if brackets > MOST_BRACKETS:
        raise PolicyDoesNotCompile(f"The expression opens {brackets} brackets.", remedy=f"Use at most {MOST_BRACKETS}.")
    loops = sum(expression.count(macro) for macro in _MACROS)
    if loops > MOST_LOOPS:
        raise PolicyDoesNotCompile(f"The expression has {loops} loops.", remedy=f"Use at most {MOST_LOOPS}; use each.")
    return expression
