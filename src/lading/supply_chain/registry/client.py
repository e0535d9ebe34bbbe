"""A client of any OCI registry (distribution 1.1): a source and a sink of images over HTTP.

Logs in with Basic, or with the token flow that a `WWW-Authenticate: Bearer` challenge asks for. What it is served is
checked by `copying`; here only sizes are bounded and errors translated.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from lading.kernel.digest import Digest
from lading.supply_chain.registry.copying import FoundManifest
from lading.supply_chain.registry.errors import (
    BlobUnknown,
    ContentMismatch,
    DigestInvalid,
    ManifestUnknown,
    RegistryError,
    RemoteDenied,
    RemoteFailed,
)
from lading.supply_chain.registry.manifest import IMAGES, INDEXES, MOST_BYTES, OCI_INDEX

_ACCEPT: Final = ", ".join(sorted(IMAGES | INDEXES))
_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')
_CHUNK: Final = 1 << 20
_TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)
_MOST_ANSWER: Final = 64 << 10
_MOST_REFERRERS: Final = 1_000


class _Index(msgspec.Struct):
    manifests: list[dict[str, Any]]


class RemoteRegistry:
    """One registry, as one user or nobody. May be used from several threads.

    Args:
        url: `https://HOST[:PORT]`, or `http://` for a registry without TLS.
        user, secret: for Basic, and for the token service that the registry names.
        transport: how to reach it, where that is not the network.
        verify: knows the certificate authority of the registry; True for those of the machine.
    """

    def __init__(
        self,
        url: str,
        user: str = "",
        secret: str = "",
        *,
        transport: httpx.BaseTransport | None = None,
        verify: ssl.SSLContext | bool = True,
        timeout: httpx.Timeout = _TIMEOUT,
    ) -> None:
        self._url = url.rstrip("/")
        self._basic = httpx.BasicAuth(user, secret) if secret else None
        # A digest is of the bytes as they lie there: nothing may be compressed on its way.
        self._client = httpx.Client(
            timeout=timeout, transport=transport, verify=verify, headers={"Accept-Encoding": "identity"}
        )
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def manifest(self, repository: str, reference: str) -> FoundManifest:
        path = f"/v2/{repository}/manifests/{reference}"
        with self._answer("GET", path, repository, headers={"Accept": _ACCEPT}) as answer:
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise ManifestUnknown(f"{self._url} has no {repository} {reference}.")
            self._expect(answer, httpx.codes.OK)
            body = bytearray()
            for chunk in answer.iter_bytes(_CHUNK):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise ContentMismatch(f"{self._url} serves a manifest of more than {MOST_BYTES} bytes.")
            return FoundManifest(answer.headers.get("content-type", ""), bytes(body))

    @contextmanager
    def open_blob(self, repository: str, digest: Digest) -> Iterator[Iterator[bytes]]:
        with self._answer("GET", f"/v2/{repository}/blobs/{digest}", repository) as answer:
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise BlobUnknown(f"{self._url} has no blob {digest} in {repository}.")
            self._expect(answer, httpx.codes.OK)
            yield answer.iter_bytes(_CHUNK)

    def referring(self, repository: str, subject: Digest) -> list[dict[str, Any]]:
        """The descriptors of what refers to a manifest, of at most 4 MiB: by the API, or by the tag that stands in
        where the registry has none (distribution 1.1, "Listing Referrers" and "Referrers Tag Schema")."""
        path = f"/v2/{repository}/referrers/{subject}"
        with self._answer("GET", path, repository, headers={"Accept": OCI_INDEX}) as answer:
            has_api = answer.status_code == httpx.codes.OK
            body = b"".join(islice(answer.iter_bytes(_CHUNK), MOST_BYTES // _CHUNK)) if has_api else b""
        if not has_api:
            try:
                body = self.manifest(repository, f"{subject.algorithm}-{subject.hex}").body
            except ManifestUnknown:
                return []
        try:
            found = msgspec.json.decode(body, type=_Index).manifests
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ContentMismatch(f"{self._url} serves no index of what refers to {subject}.") from error
        return found[:_MOST_REFERRERS]

    def has_blob(self, repository: str, digest: Digest) -> bool:
        with self._answer("HEAD", f"/v2/{repository}/blobs/{digest}", repository) as answer:
            if answer.status_code == httpx.codes.NOT_FOUND:
                return False
            self._expect(answer, httpx.codes.OK)
        return True

    def put_blob(self, repository: str, digest: Digest, chunks: Iterable[bytes]) -> None:
        # The session is opened first, so that its challenge is met before the content is on its way.
        with self._answer("POST", f"/v2/{repository}/blobs/uploads/", repository) as answer:
            self._expect(answer, httpx.codes.ACCEPTED)
            location = self._location(answer)
        with self._answer("PATCH", location, repository, content=iter(chunks)) as answer:
            self._expect(answer, httpx.codes.ACCEPTED)
            location = self._location(answer)
        mark = "&" if "?" in location else "?"
        with self._answer("PUT", f"{location}{mark}digest={digest}", repository) as answer:
            if answer.status_code == httpx.codes.BAD_REQUEST:
                raise DigestInvalid(f"{self._url} says the content is not {digest}.", remedy="Push it again.")
            self._expect(answer, httpx.codes.CREATED)

    def put_manifest(self, repository: str, reference: str, media_type: str, body: bytes) -> Digest:
        path = f"/v2/{repository}/manifests/{reference}"
        with self._answer("PUT", path, repository, headers={"Content-Type": media_type}, content=body) as answer:
            self._expect(answer, httpx.codes.CREATED)
        return Digest.parse(reference) if ":" in reference else Digest.of(body)

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        repository: str,
        *,
        headers: dict[str, str] | None = None,
        content: bytes | Iterator[bytes] | None = None,
    ) -> Iterator[httpx.Response]:
        """One request; a challenge is met and the request repeated, where its content can be."""
        url = urljoin(self._url + "/", path)
        try:
            response = self._send(method, url, repository, headers or {}, content)
            if response.status_code == httpx.codes.UNAUTHORIZED and not isinstance(content, Iterator):
                challenge = response.headers.get("www-authenticate", "")
                response.close()
                self._meet(challenge, repository)
                response = self._send(method, url, repository, headers or {}, content)
            response = self._followed(response, method, (headers or {}).get("Range", ""))
            try:
                yield response
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise RemoteFailed(
                f"The registry {self._url} failed: {str(error)[:200] or type(error).__name__}.",
                remedy="Check its address, the network and its certificate.",
            ) from error

    def _send(
        self, method: str, url: str, repository: str, headers: dict[str, str], content: bytes | Iterator[bytes] | None
    ) -> httpx.Response:
        request = self._client.build_request(method, url, headers=headers, content=content)
        token = self._tokens.get(repository)
        if _origin(url) != _origin(self._url):
            auth = None
        elif token is not None:
            request.headers["Authorization"] = f"Bearer {token}"
            auth = None
        else:
            auth = self._basic
        return self._client.send(request, auth=auth, stream=True)

    def _followed(self, response: httpx.Response, method: str, part: str) -> httpx.Response:
        """Where a blob really lies: registries redirect to object stores. Credentials don't go there."""
        for _ in range(5):
            if method not in ("GET", "HEAD") or not response.has_redirect_location:
                break
            target = urljoin(str(response.url), response.headers["location"])
            response.close()
            if urlsplit(self._url).scheme == "https" and urlsplit(target).scheme != "https":
                raise RemoteFailed(f"The registry {self._url} redirects to a place without TLS.")
            headers = {"Range": part} if part else {}
            request = self._client.build_request(method, target, headers=headers)
            response = self._client.send(request, auth=None, stream=True)
        return response

    def _meet(self, challenge: str, repository: str) -> None:
        """Get a token where the challenge says (distribution, "Token Authentication")."""
        scheme, _, rest = challenge.partition(" ")
        fields = dict(_CHALLENGE.findall(rest))
        realm = fields.get("realm", "")
        if scheme.lower() != "bearer" or urlsplit(realm).scheme not in ("http", "https"):
            raise self._denied()
        if urlsplit(self._url).scheme == "https" and urlsplit(realm).scheme != "https":
            raise RemoteFailed(f"The registry {self._url} asks for credentials at a place without TLS.")
        query = {"scope": fields.get("scope") or f"repository:{repository}:pull"}
        if "service" in fields:
            query["service"] = fields["service"]
        answer = self._client.get(realm, params=query, auth=self._basic)
        if answer.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise self._denied()
        if answer.status_code != httpx.codes.OK:
            raise self._refused(answer)
        try:
            found = answer.json()
            token = found.get("token") or found["access_token"]
        except (ValueError, KeyError, AttributeError) as error:
            raise RemoteFailed(f"The token service of {self._url} answers no token.") from error
        with self._lock:
            self._tokens[repository] = str(token)

    def _expect(self, answer: httpx.Response, status: int) -> None:
        if answer.status_code == status:
            return
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise self._denied(_said(answer))
        raise self._refused(answer)

    def _refused(self, answer: httpx.Response) -> RegistryError:
        return RemoteFailed(
            f"The registry {self._url} answered {answer.status_code}: {_said(answer) or 'no reason given'}.",
            remedy="Its log may say more.",
        )

    def _denied(self, said: str = "") -> RemoteDenied:
        return RemoteDenied(
            f"The registry {self._url} does not let us in{': ' + said if said else ''}.",
            remedy="Check the user and the token.",
        )

    def _location(self, answer: httpx.Response) -> str:
        return urljoin(str(answer.url), str(answer.headers.get("location", "")))


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _said(answer: httpx.Response) -> str:
    """What a registry gives as its reason, in a few words."""
    body = bytearray()
    for chunk in answer.iter_bytes(4096):
        body += chunk
        if len(body) > _MOST_ANSWER:
            break
    return " ".join(bytes(body[:300]).decode("utf-8", "replace").split())
