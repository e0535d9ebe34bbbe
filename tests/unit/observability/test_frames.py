"""Reading the engine's stream format: joined, bounded, and never raising."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.observability.collect.frames import FramedReader, TerminalReader
from lading.observability.collect.sources import RawLine
from lading.observability.collect.text import MOST_BYTES, clean

STAMP = b"2026-11-24T10:20:30.123456789Z "
AT = 1_795_515_630_123_456


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


def framed(*chunks: bytes) -> list[RawLine]:
    reader = FramedReader()
    return [line for chunk in chunks for line in reader.feed(chunk)] + list(reader.rest())


def test_frames_become_lines_of_their_streams() -> None:
    stream = frame(1, STAMP + b"out\n") + frame(2, STAMP + b"err\n")
    assert framed(stream) == [RawLine("stdout", AT, "out"), RawLine("stderr", AT, "err")]


@given(st.lists(st.integers(1, 40), max_size=12))
def test_it_does_not_matter_how_the_bytes_are_cut(cuts: list[int]) -> None:
    stream = b"".join(frame(1 + n % 2, STAMP + b"line %d\n" % n) for n in range(6))
    chunks, start = [], 0
    for cut in cuts:
        chunks.append(stream[start : start + cut])
        start += cut
    assert framed(*chunks, stream[start:]) == framed(stream)


def test_pieces_of_a_long_line_are_joined_under_the_time_of_the_first() -> None:
    later = STAMP.replace(b":30.", b":31.")
    stream = frame(1, STAMP + b"a" * 100) + frame(2, STAMP + b"between\n") + frame(1, later + b"b\n")
    assert framed(stream) == [RawLine("stderr", AT, "between"), RawLine("stdout", AT, "a" * 100 + "b")]


def test_a_line_longer_than_may_be_kept_is_cut_and_marked() -> None:
    stream = (
        b"".join(frame(1, STAMP + b"x" * 16_000) for _ in range(4)) + frame(1, STAMP + b"\n") + frame(1, STAMP + b"y\n")
    )
    assert framed(stream) == [RawLine("stdout", AT, "x" * MOST_BYTES, True), RawLine("stdout", AT, "y")]


def test_a_frame_larger_than_may_be_held_is_passed_over_but_for_its_beginning() -> None:
    reader = FramedReader()
    payload = STAMP + b"z" * 5_000_000 + b"\n"
    found = []
    for start in range(0, len(stream := frame(1, payload) + frame(1, STAMP + b"next\n")), 10_000):
        found += reader.feed(stream[start : start + 10_000])
        assert len(reader._buffer) < 60_000
    assert [(one.truncated, len(one.text)) for one in found] == [(True, MOST_BYTES), (False, 4)]


def test_a_last_line_without_a_newline_is_not_lost() -> None:
    assert framed(frame(1, STAMP + b"no newline")) == [RawLine("stdout", AT, "no newline")]


def test_a_terminal_has_lines_and_no_frames() -> None:
    reader = TerminalReader()
    found = list(reader.feed(STAMP + b"one\r\n" + STAMP + b"tw")) + list(reader.feed(b"o\r\n")) + list(reader.rest())
    assert found == [RawLine("stdout", AT, "one"), RawLine("stdout", AT, "two")]


def test_an_endless_terminal_line_is_held_only_in_part() -> None:
    reader = TerminalReader()
    for _ in range(100):
        assert list(reader.feed(b"x" * 10_000)) == []
        assert len(reader._buffer) < 30_000


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_no_bytes_make_the_readers_fail(chunks: list[bytes]) -> None:
    for reader in (FramedReader(), TerminalReader()):
        for chunk in chunks:
            list(reader.feed(chunk))
        list(reader.rest())


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07shown", "shown"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1b(Bplain\x1b7", "plain"),
        (b"tab\there", "tab\there"),
        (b"nul\x00bell\x07", "nulbell"),
        (b"bad \xff utf8 \xc3\xa9", "bad � utf8 é"),
        (b"c1 \xc2\x9b31m", "c1 31m"),
    ],
)
def test_text_is_freed_of_terminal_control(raw: bytes, text: str) -> None:
    assert clean(raw) == text


@given(st.binary(max_size=300))
def test_no_control_character_is_left(raw: bytes) -> None:
    assert not [one for one in clean(raw) if ord(one) < 32 and one != "\t"]
