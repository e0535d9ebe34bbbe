"""A light load on the shop while it is replaced: one request after the other, every failure kept."""

from __future__ import annotations

import http.client
import threading
import time
from typing import Final

_PAUSE_SECONDS: Final = 0.02


class LightLoad:
    """Requests from a thread, until the block ends."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self.answered = 0
        self.versions: list[str] = []
        self.failures: list[str] = []
        self._target = (host, port, path)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="light-load", daemon=True)

    def __enter__(self) -> LightLoad:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)

    def _run(self) -> None:
        host, port, path = self._target
        while not self._stop.is_set():
            connection = http.client.HTTPConnection(host, port, timeout=15)
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                body = response.read().decode(errors="replace")
                if response.status >= 500:
                    self.failures.append(f"status {response.status}")
                else:
                    self._answered(body)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(type(error).__name__)
            finally:
                connection.close()
            time.sleep(_PAUSE_SECONDS)

    def _answered(self, body: str) -> None:
        self.answered += 1
        _, _, rest = body.partition('"version":"')
        version = rest.partition('"')[0]
        if version and (not self.versions or self.versions[-1] != version):
            self.versions.append(version)
