"""The API from the command line's side: one HTTP client that speaks in LadingErrors."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from lading import settings as settings_module
from lading.kernel import errors
from lading.kernel.errors import ExitCode, LadingError, Unauthenticated, Unavailable
from lading.kernel.ids import new_id

_WAIT_SECONDS: Final = 20
_PATIENCE_SECONDS: Final = 60
_BY_CODE: Final = {
    kind.code: kind
    for kind in (
        errors.InvalidInput, errors.NotFound, errors.Conflict, errors.Refused, errors.Unavailable,
        errors.Unauthenticated, errors.Forbidden, errors.IntegrityFailure,
    )
}  # fmt: skip


class ServerSaid(LadingError):
    """An error that the server reported, with the exit code it chose."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__(
            str(body.get("what", "The server failed without saying why.")),
            remedy=str(body.get("remedy", "")),
            details=tuple(map(str, body.get("details", ()))),
        )
        known = _BY_CODE.get(str(body.get("code", "")))
        fallback = known.exit_code if known else ExitCode.FAILED
        self.exit_code = ExitCode(body.get("exit_code", fallback))  # type: ignore[misc]


def credentials_file() -> Path:
    """Where `lading login` keeps tokens, one for each API address."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "lading" / "credentials.json"


def find_token(api: str) -> str:
    """The token to use: LADING_TOKEN, the file that LADING_TOKEN_FILE names, or what `lading login` kept."""
    if token := os.environ.get("LADING_TOKEN"):
        return token
    if named := os.environ.get("LADING_TOKEN_FILE"):
        try:
            return Path(named).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Unauthenticated(f"The token file {named} cannot be read: {error.strerror}.") from error
    return kept_tokens().get(api, "")


def kept_tokens() -> dict[str, str]:
    """The tokens that `lading login` kept, by API address."""
    try:
        return msgspec.json.decode(credentials_file().read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}


def keep_token(api: str, token: str | None) -> None:
    """Keep a token for an API address (readable by nobody else), or forget it."""
    tokens = {key: value for key, value in kept_tokens().items() if key != api} | ({api: token} if token else {})
    path = credentials_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(msgspec.json.encode(tokens))


class ApiClient:
    """Requests to the management API.

    Raises from every method:
        Unavailable: the server does not answer.
        ServerSaid: the server refused, with its own explanation.
    """

    def __init__(self, api: str = "", token: str = "") -> None:
        self.api = (api or os.environ.get("LADING_API") or settings_module.load().api_url).rstrip("/")
        self._token = token
        timeout = httpx.Timeout(_PATIENCE_SECONDS, connect=5)
        self._http = httpx.Client(base_url=self.api, timeout=timeout, trust_env=False)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """GET a JSON document; arguments that are None are left out of the query."""
        return self._send("GET", path, params={key: value for key, value in query.items() if value is not None})

    def post(self, path: str, body: Any = None) -> Any:
        """POST a JSON document."""
        return self._send("POST", path, json={} if body is None else body)

    def put(self, path: str, body: Any) -> Any:
        """PUT a JSON document."""
        return self._send("PUT", path, json=body)

    def patch(self, path: str, body: Any) -> Any:
        """Change a resource in part; returns its JSON."""
        return self._send("PATCH", path, json=body)

    def delete(self, path: str, **query: Any) -> Any:
        """DELETE a resource."""
        return self._send("DELETE", path, params=query)

    def upload(self, path: str, chunks: Iterable[bytes], media_type: str) -> Any:
        """POST a stream of bytes."""
        return self._send("POST", path, content=chunks, headers={"Content-Type": media_type})

    def download(self, path: str, to: Path) -> int:
        """GET something large into a file; its size."""
        headers = {"Authorization": f"Bearer {self._token or find_token(self.api)}"}
        try:
            with self._http.stream("GET", path, headers=headers) as response:
                if not response.is_success:
                    response.read()
                    self._read(response)
                with to.open("wb") as file:
                    for chunk in response.iter_bytes(1 << 20):
                        file.write(chunk)
                    return file.tell()
        except httpx.HTTPError as error:
            raise Unavailable(
                f"{self.api} stopped answering ({type(error).__name__}).", remedy="Run the command again."
            ) from error

    def stream(self, path: str, **query: Any) -> Iterator[bytes]:
        """GET something large piece by piece; arguments that are None are left out of the query."""
        headers = {"Authorization": f"Bearer {self._token or find_token(self.api)}"}
        params = {key: value for key, value in query.items() if value is not None}
        try:
            with self._http.stream("GET", path, headers=headers, params=params) as response:
                if not response.is_success:
                    response.read()
                    self._read(response)
                yield from response.iter_bytes(1 << 16)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"{self.api} stopped answering ({type(error).__name__}).", remedy="Run the command again."
            ) from error

    def follow(self, job: str) -> Iterator[dict[str, Any]]:
        """The events of a job as they happen, until it ends. A server that restarts meanwhile is waited for."""
        after, lost_since = 0, 0.0
        while True:
            try:
                page = self.get(f"/api/v1/jobs/{job}/events", after=after, wait=_WAIT_SECONDS)
            except Unavailable:
                lost_since = lost_since or time.monotonic()
                if time.monotonic() - lost_since > _PATIENCE_SECONDS:
                    raise
                time.sleep(0.5)
                continue
            lost_since = 0.0
            for event in page["events"]:
                after = event["n"]
                yield event
            if page["final"] and not page["events"]:
                return

    def _send(self, method: str, path: str, **options: Any) -> Any:
        headers = {"X-Request-Id": new_id()} | options.pop("headers", {})
        token = self._token or find_token(self.api)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            response = self._http.request(method, path, headers=headers, **options)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"No Lading server answers at {self.api} ({type(error).__name__}).",
                remedy="Start one with `lading up`, or name another with LADING_API.",
            ) from error
        return self._read(response)

    def _read(self, response: httpx.Response) -> Any:
        if response.headers.get("content-type", "").startswith("application/json"):
            body = msgspec.json.decode(response.content)
        else:
            body = response.text
        if response.is_success:
            return body
        if isinstance(body, dict) and isinstance(body.get("error"), dict):
            raise ServerSaid(body["error"])
        raise Unavailable(
            f"{self.api} answered {response.status_code} without an explanation.",
            remedy="Is something else listening there? `lading status` shows the addresses.",
        )
