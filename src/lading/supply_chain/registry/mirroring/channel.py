"""How the pull endpoint, which cannot write, says what is wanted: datagrams to a socket of this host.

The socket lies in the data directory, which only Lading's user may enter: the directory says who may wish. A message
that is lost (nobody listens yet, or the queue is full) is sent again by whoever waits. The other end (`listen`) runs in
the worker or the intake of the host, which may write.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

_NAME: Final = "mirror.sock"
_MOST: Final = 2_048
_LOOK_SECONDS: Final = 0.5
_log: Final = logging.getLogger(__name__)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A message: somebody who may pull from a repository wants this of it."""

    repository: str
    reference: str


class WishSender:
    """Sends wishes to whoever listens on this host."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)

    def send(self, repository: str, reference: str) -> bool:
        """Say that something is wanted; whether somebody heard it. Never raises."""
        message = msgspec.json.encode(Wanted(repository=repository, reference=reference))
        try:
            with _short(self._directory) as place:
                self._socket.sendto(message, place)
        except OSError as error:
            _log.warning("nobody hears what is wanted of upstreams", extra={"error": str(error)})
            return False
        return True

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


def listen(directory: Path, hear: Callable[[Wanted], None], stop: threading.Event) -> None:
    """Call `hear` for every wish until told to stop; one listener at a time hears."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as made:
        # Bound under another name first: a sender never finds a socket that nobody reads.
        hidden = f"{_NAME}.{os.getpid()}"
        with _short(directory, hidden) as place:
            (directory / hidden).unlink(missing_ok=True)
            made.bind(place)
        (directory / hidden).chmod(0o600)
        (directory / hidden).rename(directory / _NAME)
        made.settimeout(_LOOK_SECONDS)
        while not stop.is_set():
            try:
                message = made.recv(_MOST)
            except TimeoutError:
                continue
            try:
                wanted = msgspec.json.decode(message, type=Wanted)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                _log.warning("a wish is not readable", extra={"said": repr(message[:200])})
                continue
            hear(wanted)


@contextlib.contextmanager
def _short(directory: Path, name: str = _NAME):  # type: ignore[no-untyped-def]
    """The path of the socket by way of a descriptor: paths of sockets have at most 107 bytes."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)
