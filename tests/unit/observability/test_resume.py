"""Reading on after a kill: neither lost nor repeated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lading.observability.collect.resume import OVERLAP, Resume
from lading.observability.collect.sources import RawLine
from lading.observability.store import Position

# Times within a stream do not decrease, and ties are common.
steps = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.integers(0, 2)), max_size=40)


def written(moves: list[tuple[str, int]]) -> list[RawLine]:
    at, lines = 10_000_000, []
    for number, (stream, step) in enumerate(moves):
        at += step
        lines.append(RawLine(stream, at, str(number)))
    return lines


@given(steps, st.integers(0, 40))
def test_whatever_prefix_was_durable_the_rest_is_read_once(moves: list[tuple[str, int]], durable: int) -> None:
    lines = written(moves)
    first = Resume({})
    kept: dict[str, Position] = {}
    for raw in lines[:durable]:
        position = first.admit(raw)
        assert position is not None
        kept[raw.stream] = position
    second = Resume(kept)
    since = second.restart()
    again = [raw.text for raw in lines if raw.at >= since and second.admit(raw) is not None]
    assert again == [raw.text for raw in lines[durable:]]


@given(steps, st.integers(0, 40))
def test_an_engine_that_breaks_off_is_read_on_without_repetition(moves: list[tuple[str, int]], broken: int) -> None:
    lines = written(moves)
    resume = Resume({})
    seen = [raw.text for raw in lines[:broken] if resume.admit(raw)]
    since = resume.restart()
    seen += [raw.text for raw in lines if raw.at >= since and resume.admit(raw)]
    assert seen == [raw.text for raw in lines]


def test_lines_of_one_microsecond_are_numbered_by_stream() -> None:
    resume = Resume({})
    found = [resume.admit(RawLine(stream, 7, "x")) for stream in ("stdout", "stdout", "stderr", "stdout")]
    assert found == [Position(7, 0), Position(7, 1), Position(7, 0), Position(7, 2)]


def test_reading_starts_a_little_before_the_youngest_line() -> None:
    kept = {"stdout": Position(90_000_000, 0), "stderr": Position(5_000_000, 0)}
    assert Resume(kept).restart() == 90_000_000 - OVERLAP


def test_nothing_from_before_the_floor_is_wanted() -> None:
    resume = Resume({}, floor=100)
    assert resume.restart() == 100
    assert resume.admit(RawLine("stdout", 99, "old")) is None
    assert resume.admit(RawLine("stdout", 100, "new")) == Position(100, 0)


def test_a_clock_that_goes_back_while_reading_loses_nothing() -> None:
    resume = Resume({})
    assert all(resume.admit(RawLine("stdout", at, "x")) for at in (500, 400, 401))
