"""The second CEL engine: a Rust implementation (common-expression-language), which raises on run-time errors.

It resolves names only when it evaluates, so the two names that exist are checked here, and it has no budget for loops:
it is the second opinion in tests and may judge, but the first engine is the default.
"""

from __future__ import annotations

from typing import Any, Final

import cel

from lading.policy.cel import bounded
from lading.policy.errors import EvaluationFailed, PolicyDoesNotCompile

_FAILURES: Final = (RuntimeError, TypeError, ValueError, KeyError, IndexError, ArithmeticError, AttributeError)


class RustScope:
    """The document, converted for the engine only when an expression asks for it."""

    __slots__ = ("document", "item")

    def __init__(self, document: dict[str, Any], item: Any = None) -> None:
        self.document = document
        self.item = item

    def with_item(self, item: Any) -> RustScope:
        return RustScope(self.document, item)


class RustProgram:
    """A parsed expression. The engine copies its variables for each evaluation, so it gets only those it names."""

    __slots__ = ("_names_input", "_program")

    def __init__(self, program: cel.Program) -> None:
        self._program = program
        self._names_input = "input" in program.variables()

    def holds(self, scope: Any) -> bool:
        variables = {"it": scope.item, "input": scope.document} if self._names_input else {"it": scope.item}
        try:
            value = self._program.execute(variables)
        except _FAILURES as error:
            raise EvaluationFailed(f"CEL failed: {_first_line(error)}") from error
        if value is True or value is False:
            return bool(value)
        raise EvaluationFailed(f"CEL gave {type(value).__name__}, not true or false.")


class RustCel:
    """Compiles without types; what can be known before evaluation is found by a trial on an empty document."""

    name = "common-expression-language"

    def compile(self, expression: str, *, items: bool) -> RustProgram:
        try:
            program = cel.compile(bounded(expression))
        except (ValueError, RuntimeError, UnicodeError) as error:
            raise PolicyDoesNotCompile(_first_line(error)) from error
        try:
            value = program.execute({"input": {}} | ({"it": None} if items else {}))
        except _FAILURES as error:
            if "Undefined variable or function" in str(error):
                raise PolicyDoesNotCompile(_first_line(error)) from error
        else:
            if not isinstance(value, bool):
                raise PolicyDoesNotCompile(
                    f"The expression gives {type(value).__name__}, not true or false.", remedy="Compare it."
                )
        return RustProgram(program)

    def scope(self, document: dict[str, Any]) -> RustScope:
        return RustScope(document)


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0][:300].rstrip(".") + "."
