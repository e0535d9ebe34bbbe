"""Chunks that another thread reads while the last one is used.

obstore calls an iterator that it writes from on a thread where obstore itself cannot be called; what is read from one
object and written to another has to come from elsewhere.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_PAUSE_SECONDS: Final = 0.1


@contextmanager
def reading_ahead(chunks: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
    """The same chunks, one held ready; what reading them raises is raised from the iterator that is given.

    Leaving the block early ends the reading before the next chunk.
    """
    ready: queue.Queue[bytes | BaseException | None] = queue.Queue(1)
    stop = threading.Event()

    def offer(item: bytes | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=_PAUSE_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for chunk in chunks:
                if not offer(chunk):
                    return
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that uses the chunks
            offer(error)
        else:
            offer(None)

    def taken() -> Iterator[bytes]:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    reader = threading.Thread(target=read, name="reading-ahead", daemon=True)
    reader.start()
    try:
        yield taken()
    finally:
        stop.set()
        reader.join()
