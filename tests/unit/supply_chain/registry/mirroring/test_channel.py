"""What is wanted goes from the pull endpoint to whoever can write, on one host."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.supply_chain.registry.mirroring.channel import Wanted, WishSender, listen


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory whose path is longer than the path of a socket may be."""
    found = tmp_path / ("d" * 120)
    found.mkdir()
    return found


@pytest.fixture
def heard(directory: Path) -> Iterator[list[Wanted]]:
    words: list[Wanted] = []
    stop = threading.Event()
    thread = threading.Thread(target=listen, args=(directory, words.append, stop))
    thread.start()
    yield words
    stop.set()
    thread.join()


def test_what_is_sent_is_heard_and_nonsense_is_passed_over(directory: Path, heard: list[Wanted]) -> None:
    sender = WishSender(directory)
    while not sender.send("hub/app", "1"):
        threading.Event().wait(0.01)
    assert (directory / "mirror.sock").stat().st_mode & 0o077 == 0
    place = os.open(directory, os.O_PATH)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.sendto(b"\xff nonsense", f"/proc/self/fd/{place}/mirror.sock")
    os.close(place)
    sender.send("hub/app", "2")
    for _ in range(1_000):
        if len(heard) == 2:
            break
        threading.Event().wait(0.01)
    assert heard == [Wanted(repository="hub/app", reference="1"), Wanted(repository="hub/app", reference="2")]
    sender.close()


def test_nobody_hears_where_nobody_listens(tmp_path: Path) -> None:
    sender = WishSender(tmp_path)
    assert not sender.send("hub/app", "1")
    (tmp_path / "mirror.sock").touch()
    assert not sender.send("hub/app", "1")
    sender.close()


def test_a_socket_that_a_dead_process_left_is_taken_over(directory: Path) -> None:
    for reference in ("1", "2"):
        words: list[Wanted] = []
        stop, came = threading.Event(), threading.Event()

        def hear(wanted: Wanted, words: list[Wanted] = words, came: threading.Event = came) -> None:
            words.append(wanted)
            came.set()

        thread = threading.Thread(target=listen, args=(directory, hear, stop))
        thread.start()
        sender = WishSender(directory)
        while not came.wait(0.05):
            sender.send("hub/app", reference)
        assert words[0].reference == reference
        stop.set()
        thread.join()
        sender.close()
