"""Another region over HTTP: its management API, with the token that it gave us."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import httpx
import msgspec

from lading.supply_chain.registry.errors import RemoteDenied
from lading.supply_chain.registry.replication.changes import (
    MOST_BODY,
    Batch,
    Change,
    Description,
    Outcome,
    RegionKey,
    seal,
)
from lading.supply_chain.registry.replication.errors import TargetFailed

_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
_MOST_ANSWER: Final = 8 << 20


class HttpRegionLink:
    """Speaks to the region at `url` as the region `sender`. May be used from several threads."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        sender: str,
        to: str,
        key: RegionKey,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._sender = sender
        self._to = to
        self._key = key
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.Client(timeout=_TIMEOUT, transport=transport, headers=headers)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def describe(self) -> Description:
        found: Description = self._decoded(self._send("GET", "/api/v1/replication/region", None), Description)
        return found

    def tell(self, changes: Sequence[Change]) -> list[Outcome]:
        envelope = seal(Batch(sender=self._sender, to=self._to, changes=tuple(changes)), self._key)
        body = msgspec.json.encode(envelope)
        if len(body) > MOST_BODY:
            raise TargetFailed(f"A batch of {len(body)} bytes is more than a region takes.")
        outcomes = self._decoded(self._send("POST", "/api/v1/replication/changes", body), list[Outcome])
        if len(outcomes) != len(changes):
            raise TargetFailed(f"{self._url} gave {len(outcomes)} outcomes for {len(changes)} changes.")
        return list(outcomes)

    def _send(self, method: str, path: str, body: bytes | None) -> bytes:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            with self._client.stream(method, self._url + path, content=body, headers=headers) as answer:
                content = bytearray()
                for chunk in answer.iter_bytes(1 << 16):
                    content += chunk
                    if len(content) > _MOST_ANSWER:
                        raise TargetFailed(f"{self._url} answers more than {_MOST_ANSWER} bytes.")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise TargetFailed(
                f"The region at {self._url} does not answer: {str(error)[:200] or type(error).__name__}.",
                remedy="Check its address, the network and its certificate.",
            ) from error
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise RemoteDenied(
                f"The region at {self._url} does not take us in: {_said(bytes(content))}.",
                remedy="Have it accept this region, and add the target again with the token that it gives.",
            )
        if not answer.is_success:
            raise TargetFailed(f"The region at {self._url} answered {answer.status_code}: {_said(bytes(content))}.")
        return bytes(content)

    def _decoded(self, content: bytes, kind: Any) -> Any:
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise TargetFailed(
                f"{self._url} does not answer as a Lading region does.", remedy="Give the address of its API."
            ) from error


def _said(content: bytes) -> str:
    """What an error document says, in a few words."""
    try:
        return str(msgspec.json.decode(content)["error"]["what"])[:300]
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError, RecursionError):
        return " ".join(content[:200].decode("utf-8", "replace").split()) or "no reason given"
