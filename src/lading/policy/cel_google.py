"""The first CEL engine: Google's own C++ implementation (cel-expr-python).

It bounds recursion (32), source size and loop iterations by itself. Its pitfall: a run-time error comes back as a value
that is a truthy text, so nothing but the very object True counts as true here.
"""

from __future__ import annotations

from typing import Any, Final

from cel_expr_python import cel

from lading.policy.cel import bounded
from lading.policy.errors import EvaluationFailed, PolicyDoesNotCompile

_BOOLEAN_TYPES: Final = (cel.Type.BOOL, cel.Type.DYN)


class GoogleScope:
    """An activation, which reads the Python values where they are."""

    __slots__ = ("_engine", "activation", "document")

    def __init__(self, engine: Any, document: dict[str, Any], item: Any = None) -> None:
        self._engine = engine
        self.document = document
        self.activation = engine.Activation({"input": document, "it": item})

    def with_item(self, item: Any) -> GoogleScope:
        return GoogleScope(self._engine, self.document, item)


class GoogleProgram:
    """A checked and planned expression."""

    __slots__ = ("_expression",)

    def __init__(self, expression: Any) -> None:
        self._expression = expression

    def holds(self, scope: Any) -> bool:
        try:
            result = self._expression.eval(scope.activation)
            value = result.value()
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise EvaluationFailed(f"CEL failed: {_first_line(error)}") from error
        if value is True or value is False:
            return bool(value)
        if result.type() == cel.Type.ERROR:
            raise EvaluationFailed(f"CEL failed: {_first_line(value)}")
        raise EvaluationFailed(f"CEL gave {result.type().name()}, not true or false.")


class GoogleCel:
    """Compiles with type checking; `input` and `it` are dynamic."""

    name = "cel-expr-python"

    def __init__(self) -> None:
        self._without_item = cel.NewEnv(variables={"input": cel.Type.DYN})
        self._env = cel.NewEnv(variables={"input": cel.Type.DYN, "it": cel.Type.DYN})

    def compile(self, expression: str, *, items: bool) -> GoogleProgram:
        # Compiled twice: first only to refuse `it` where there is none, then for the one kind of scope there is.
        try:
            if not items:
                self._without_item.compile(bounded(expression))
            compiled = self._env.compile(bounded(expression))
        except (RuntimeError, UnicodeError) as error:
            raise PolicyDoesNotCompile(f"{_first_line(error)}") from error
        if compiled.return_type() not in _BOOLEAN_TYPES:
            raise PolicyDoesNotCompile(
                f"The expression gives {compiled.return_type().name()}, not true or false.",
                remedy="Compare it with something.",
            )
        return GoogleProgram(compiled)

    def scope(self, document: dict[str, Any]) -> GoogleScope:
        return GoogleScope(self._env, document)


def _first_line(error: object) -> str:
    line = str(error).strip().partition("\n")[0].removeprefix("INVALID_ARGUMENT: ERROR: ")
    return line[:300].rstrip(".") + "."
