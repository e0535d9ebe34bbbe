"""Docker Engine as a source of logs and usage, over its API (1.41 and newer)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import docker
import requests
from docker.errors import APIError, DockerException, NotFound
from docker.types.daemon import CancellableStream
from urllib3.exceptions import HTTPError

from lading.observability.collect.frames import FramedReader, TerminalReader
from lading.observability.collect.sources import LogStream, RawLine, Usage, Watched
from lading.observability.errors import SourceGone, SourceUnavailable

_CHUNK: Final = 65_536
_ANSWER_SECONDS: Final = 15
# A stream that says nothing for this long is opened again, in case the connection died without a word.
_QUIET_SECONDS: Final = 600
_RUNNING: Final = ("running", "paused", "restarting")


class DockerTelemetrySource:
    """A LogSource and StatsSource.

    Raises SourceUnavailable when the engine does not answer.

    Args:
        address: of the engine, such as `unix:///var/run/docker.sock`.
        workload_label: container label with `application/service`; containers without it are not ours.
    """

    def __init__(self, address: str, *, workload_label: str = "lading.workload") -> None:
        self._label = workload_label
        # The client library leaks a socket for each try to connect to one that is not there.
        if address.startswith("unix://") and not Path(address.removeprefix("unix://")).is_socket():
            raise SourceUnavailable(
                f"Docker Engine does not answer: there is no socket {address}.",
                remedy="`lading doctor` says whether it runs.",
            )
        with _translated("the engine"):
            self._api = docker.APIClient(base_url=address, version="auto", timeout=_ANSWER_SECONDS, max_pool_size=64)

    def containers(self) -> Sequence[Watched]:
        with _translated("the list of containers"):
            listed = self._api.containers(all=True, filters={"label": self._label})
        return [self._watched(one) for one in listed]

    def follow(self, container: str, since: int) -> LogStream:
        with _translated(f"container {container[:12]}"):
            inspected = self._api.inspect_container(container)
            response = self._api.get(
                f"{self._api.base_url}/v{self._api.api_version}/containers/{container}/logs",
                params={
                    "follow": "1",
                    "stdout": "1",
                    "stderr": "1",
                    "timestamps": "1",
                    "since": f"{since // 1_000_000}.{since % 1_000_000:06d}000",
                },
                stream=True,
                timeout=(_ANSWER_SECONDS, _QUIET_SECONDS),
            )
            if not response.ok:
                response.close()
            if response.status_code == requests.codes.not_found:
                raise SourceGone(f"There is no container {container[:12]}.")
            response.raise_for_status()
        return _DockerStream(response, terminal=bool(inspected["Config"].get("Tty")))

    def usage(self, container: str) -> Usage:
        with _translated(f"container {container[:12]}"):
            stats = self._api.stats(container, stream=False, one_shot=True)
            restarts = self._api.inspect_container(container).get("RestartCount")
        return read_usage(stats)._replace(restarts=restarts if isinstance(restarts, int) else None)

    def close(self) -> None:
        """Give back the connections."""
        self._api.close()

    def _watched(self, listed: Mapping[str, Any]) -> Watched:
        workload = str(listed["Labels"][self._label])
        name = (listed.get("Names") or [""])[0].lstrip("/")
        application = workload.partition("/")[0]
        return Watched(listed["Id"], name, workload, application, listed.get("State") in _RUNNING)


def read_usage(stats: Mapping[str, Any]) -> Usage:
    """The figures of a stats answer; what the engine leaves out, or fills with the zeros of a dead container, is None.

    Memory is what cannot be given back: usage without inactive file cache, as `docker stats` shows it.
    """
    memory = stats.get("memory_stats") or {}
    total = ((stats.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage")
    networks = stats.get("networks") or {}
    return Usage(
        cpu_seconds_total=total / 1e9 if total else None,
        memory_bytes=_memory(memory),
        memory_limit=memory.get("limit") or None,
        rx_bytes=sum(one.get("rx_bytes", 0) for one in networks.values()) if networks else None,
        tx_bytes=sum(one.get("tx_bytes", 0) for one in networks.values()) if networks else None,
        pids=(stats.get("pids_stats") or {}).get("current") or None,
    )


def _memory(memory: Mapping[str, Any]) -> int | None:
    used = memory.get("usage")
    if not used:
        return None
    detail = memory.get("stats") or {}
    cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))
    return int(used - cache) if cache < used else int(used)


class _DockerStream:
    def __init__(self, response: requests.Response, *, terminal: bool) -> None:
        self._response = response
        self._terminal = terminal
        self._stream = CancellableStream(response.iter_content(_CHUNK), response)
        self._closed = False

    def __iter__(self) -> Iterator[Sequence[RawLine]]:
        reader = TerminalReader() if self._terminal else FramedReader()
        raw = self._response.raw
        with closing(self._response):
            try:
                # read1 gives what has arrived; `iter_content` would wait until a chunk is full.
                while chunk := raw.read1(_CHUNK, decode_content=True):
                    yield list(reader.feed(chunk))
            except (requests.RequestException, HTTPError, OSError, ValueError, AttributeError) as error:
                if not self._closed:
                    raise SourceUnavailable(f"The engine broke off a log stream: {str(error)[:200]}.") from error
            yield list(reader.rest())

    def close(self) -> None:
        self._closed = True
        try:
            self._stream.close()
        except (OSError, DockerException, AttributeError):  # ended by itself meanwhile
            self._response.close()


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise SourceGone(f"Docker Engine does not know {what}.") from error
    except (APIError, DockerException, requests.RequestException, HTTPError, OSError, json.JSONDecodeError) as error:
        raise SourceUnavailable(
            f"Docker Engine does not answer about {what}: {str(error)[:200]}.",
            remedy="`lading doctor` says whether it runs.",
        ) from error
