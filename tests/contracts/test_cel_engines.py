"""What every CEL engine must do, and that the engines agree."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.policy.cel import MOST_EXPRESSION, CelEngine
from lading.policy.cel_google import GoogleCel
from lading.policy.cel_rust import RustCel
from lading.policy.errors import EvaluationFailed, PolicyDoesNotCompile

ENGINES = [GoogleCel(), RustCel()]
DOCUMENT: dict[str, Any] = {
    "image": {"state": "approved", "gaps": [], "signed": True, "size": 3, "score": 7.5, "base": None},
    "findings": [{"id": "CVE-1", "rank": 4, "kev": False}, {"id": "CVE-2", "rank": 2, "kev": True}],
}

each_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)


def holds(engine: CelEngine, expression: str, item: Any = None) -> bool:
    return engine.compile(expression, items=True).holds(engine.scope(DOCUMENT).with_item(item))


@each_engine
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("input.image.state == 'approved'", True),
        ("has(input.image.user)", False),
        ("size(input.image.gaps) > 0", False),
        ("input.image.size == 3.0", True),
        ("input.image.score >= 7.0 && input.image.signed", True),
        ("input.image.base == null", True),
        ("input.findings.exists(f, f.kev && f.rank < 3)", True),
        ("input.findings.all(f, f.id.startsWith('CVE-'))", True),
        ("input.findings.filter(f, f.rank > 3).size() == 1", True),
        ("input.nowhere.at_all == 1 || true", True),
        ("it == null", True),
        ("'a+b'.matches('^a.b$')", True),
        ("timestamp('2026-01-01T00:00:00Z') < timestamp('2026-01-02T00:00:00Z')", True),
    ],
)
def test_expressions_hold_or_not(engine: CelEngine, expression: str, expected: bool) -> None:
    assert holds(engine, expression) is expected


@each_engine
@pytest.mark.parametrize(
    "expression",
    [
        "input.image.user == 'x'",
        "input.image.size / 0 == 1",
        "input.image.state",
        "input.image.size",
        "input.image.base",
        "input.findings",
        "input.findings[9].kev",
        "input.image.state + 1 == 2",
        "int(input.image.state) == 1",
        "input.image.size + 9223372036854775807 > 0",
        "input.image.state.matches('[')",
        "!input.image.state",
        "input.image.state && true",
    ],
)
def test_what_is_neither_true_nor_false_is_a_failure_never_true(engine: CelEngine, expression: str) -> None:
    with pytest.raises(EvaluationFailed):
        holds(engine, expression)


@each_engine
@pytest.mark.parametrize(
    "expression",
    ["", " ", "input.", "outside == 1", "1", "'true'", "(" * 400, "a" * (MOST_EXPRESSION + 1), "\ud800", "input.exec("],
)
def test_what_is_not_a_question_does_not_compile(engine: CelEngine, expression: str) -> None:
    with pytest.raises(PolicyDoesNotCompile):
        engine.compile(expression, items=True)


@each_engine
def test_an_item_is_unknown_where_there_is_none(engine: CelEngine) -> None:
    with pytest.raises(PolicyDoesNotCompile):
        engine.compile("it == 1", items=False)


@each_engine
def test_scopes_of_items_may_be_kept_and_used_in_any_order(engine: CelEngine) -> None:
    program = engine.compile("it.rank > 3 && size(input.findings) == 2", items=True)
    scope = engine.scope(DOCUMENT)
    first, second = (scope.with_item(item) for item in DOCUMENT["findings"])

    assert [program.holds(second), program.holds(first), program.holds(second)] == [False, True, False]


@each_engine
def test_programs_are_used_by_several_threads(engine: CelEngine) -> None:
    program = engine.compile("it == 1", items=True)
    wrong: list[bool] = []

    def judge() -> None:
        scope = engine.scope(DOCUMENT)
        for number in range(500):
            if program.holds(scope.with_item(number % 2)) is not bool(number % 2):
                wrong.append(True)

    threads = [threading.Thread(target=judge) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_first_engine_bounds_the_work_of_one_evaluation() -> None:
    engine = GoogleCel()
    program = engine.compile("input.n.all(a, input.n.all(b, input.n.all(c, a + b + c >= 0)))", items=False)

    with pytest.raises(EvaluationFailed, match="budget"):
        program.holds(engine.scope({"n": list(range(300))}))


_fields = st.sampled_from(["a", "b", "c", "missing"])
_values = st.one_of(st.booleans(), st.integers(-5, 5), st.sampled_from(["", "x", "CVE-1"]), st.none())
_documents = st.fixed_dictionaries({"a": _values, "b": _values, "c": st.lists(st.integers(0, 3), max_size=3)})
_literals = st.sampled_from(["1", "0", "-3", "'x'", "''", "true", "null", "2.0", "[1, 2]"])
_terms = st.one_of(_literals, _fields.map(lambda name: f"input.{name}"))
_comparisons = st.one_of(
    st.tuples(_terms, st.sampled_from(["==", "!=", "<", ">="]), _terms).map(" ".join),
    _fields.map(lambda name: f"has(input.{name})"),
    _terms.map(lambda term: f"{term} in input.c"),
    _terms.map(lambda term: f"size({term}) > 1"),
    st.just("input.c.exists(x, x > 1)"),
    _terms,
)
_expressions = st.recursive(
    _comparisons,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, inner, inner).map(lambda parts: f"(({parts[0]}) ? ({parts[1]}) : ({parts[2]}))"),
    ),
    max_leaves=6,
)


def verdict(engine: CelEngine, expression: str, document: dict[str, Any]) -> str:
    """`true`, `false` or `refused`: an expression that does not compile and one that fails both refuse."""
    try:
        program = engine.compile(expression, items=False)
        return str(program.holds(engine.scope(document)))
    except (EvaluationFailed, PolicyDoesNotCompile):
        return "refused"


@settings(max_examples=400, deadline=None)
@given(expression=_expressions, document=_documents)
def test_the_engines_agree_wherever_both_come_to_a_verdict(expression: str, document: dict[str, Any]) -> None:
    first, second = (verdict(engine, expression, document) for engine in ENGINES)

    # One engine checks types when it compiles, the other when it evaluates: only a contradiction is wrong.
    assert {first, second} != {"True", "False"}, expression
