"""From the engine's byte stream to lines: Docker Engine API, "Stream format" of attach and logs, with timestamps on.

A frame holds one message: `2026-11-24T00:00:00.000000000Z text`, without a newline when the engine cut a long line; the
pieces are joined again, with the time of the first. With a terminal there are no frames, only lines. Whatever arrives,
no more than `MOST_BYTES` of a line and one frame header are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from lading.observability.collect.sources import RawLine
from lading.observability.collect.text import MOST_BYTES, clean

_HEADER: Final = 8
_STAMP: Final = len("2026-11-24T00:00:00.000000000Z ")
_HELD: Final = MOST_BYTES + _STAMP
_STREAMS: Final = {0: "stdout", 1: "stdout", 2: "stderr"}


class Stamps:
    """Reads timestamps; most lines share the second of the line before, so that one is kept."""

    def __init__(self) -> None:
        self._second = b""
        self._base = 0

    def read(self, message: bytes) -> int | None:
        """Microseconds since 1970, or None when the message does not begin with a timestamp."""
        if len(message) < _STAMP - 1 or message[10:11] != b"T" or message[29:30] != b"Z":
            return None
        try:
            if message[:19] != self._second:
                moment = datetime.fromisoformat(message[:19].decode("ascii")).replace(tzinfo=UTC)
                self._second, self._base = message[:19], int(moment.timestamp()) * 1_000_000
            return self._base + int(message[20:26])
        except ValueError:
            return None


class _Joined:
    """The line of one stream that is being put together."""

    def __init__(self) -> None:
        self.at: int | None = None
        self.text = bytearray()
        self.truncated = False

    def add(self, text: bytes, cut: bool) -> None:
        room = MOST_BYTES - len(self.text)
        self.text += text[:room]
        self.truncated = self.truncated or cut or len(text) > room


class Lines:
    """Turns messages, whole or in pieces, into lines."""

    def __init__(self) -> None:
        self._stamps = Stamps()
        self._open = {"stdout": _Joined(), "stderr": _Joined()}

    def message(self, stream: str, message: bytes, *, cut: bool = False) -> RawLine | None:
        """Take one message (`cut`: its end was dropped); gives the line that it ends, if it ends one."""
        line = self._open[stream]
        at = self._stamps.read(message)
        text = message if at is None else message[_STAMP:]
        line.at = at if line.at is None else line.at
        ends = text.endswith(b"\n")
        line.add(text.rstrip(b"\r\n") if ends else text, cut)
        return self._finish(stream) if ends else None

    def rest(self) -> Iterator[RawLine]:
        """What was written without a newline before the stream ended."""
        for stream, line in self._open.items():
            if line.text and (last := self._finish(stream)):
                yield last

    def _finish(self, stream: str) -> RawLine | None:
        line, self._open[stream] = self._open[stream], _Joined()
        if line.at is None:
            return None
        return RawLine(stream, line.at, clean(bytes(line.text)), line.truncated)


class FramedReader:
    """For containers without a terminal."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip = 0
        self._lines = Lines()

    def feed(self, chunk: bytes) -> Iterator[RawLine]:
        """Take the next bytes and give the lines they end."""
        self._buffer += chunk
        start, buffer = 0, self._buffer
        while True:
            if self._skip:
                step = min(self._skip, len(buffer) - start)
                start, self._skip = start + step, self._skip - step
            if len(buffer) - start < _HEADER or self._skip:
                break
            size = int.from_bytes(buffer[start + 4 : start + 8], "big")
            held = min(size, _HELD)
            if len(buffer) - start - _HEADER < held:
                break
            message = bytes(buffer[start + _HEADER : start + _HEADER + held])
            stream = _STREAMS.get(buffer[start], "stdout")
            start, self._skip = start + _HEADER + held, size - held
            # Of a frame too long to hold, the newline at its end is taken for granted: docker cuts lines at 16 KiB.
            line = self._lines.message(stream, message + b"\n" if self._skip else message, cut=bool(self._skip))
            if line is not None:
                yield line
        del buffer[:start]

    def rest(self) -> Iterator[RawLine]:
        """What is left when the stream ends."""
        return self._lines.rest()


class TerminalReader:
    """For containers with a terminal: lines, all of them stdout."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._cut = False
        self._lines = Lines()

    def feed(self, chunk: bytes) -> Iterator[RawLine]:
        """Take the next bytes and give the lines they end."""
        self._buffer += chunk
        *whole, rest = self._buffer.split(b"\n")
        for text in whole:
            line = self._lines.message("stdout", bytes(text[:_HELD]) + b"\n", cut=self._cut or len(text) > _HELD)
            self._cut = False
            if line is not None:
                yield line
        self._cut = self._cut or len(rest) > _HELD
        self._buffer = rest[:_HELD]

    def rest(self) -> Iterator[RawLine]:
        """What is left when the stream ends."""
        if self._buffer and (line := self._lines.message("stdout", bytes(self._buffer) + b"\n", cut=self._cut)):
            yield line
