"""Pushes of every kind against an endpoint that may die at any moment, and an account of what was acknowledged.

Each pusher keeps to tags and content of its own, so that it knows after every answer, and after every answer that
never came, what the registry may and may not hold.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from integration.registry.conftest import MANIFEST, make_manifest
from lading.kernel.digest import Digest

_PAUSE_SECONDS = 0.05
_CHUNKS = 3


class Gone(Exception):
    """The endpoint died, or said that it cannot now."""


@dataclass
class Account:
    """What a pusher knows: blobs and manifests that were acknowledged, those that may be there, and its tags.

    `tags` holds what each tag may name now: one digest after an acknowledgement, two after silence; empty for none.
    """

    repository: str
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    unsure: dict[Digest, bytes] = field(default_factory=dict)
    manifests: dict[Digest, bytes] = field(default_factory=dict)
    tags: dict[str, set[str]] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)


class Pusher(threading.Thread):
    """Pushes until it is told to stop, whatever happens to the endpoint."""

    def __init__(self, client: httpx.Client, repository: str, seed: int, stop: threading.Event) -> None:
        super().__init__()
        self.account = Account(repository)
        self._client = client
        self._chance = random.Random(seed)
        self._stop_asked = stop
        self._number = 0

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                self._chance.choice((self._image, self._image, self._lone_blob, self._untag, self._mount))()
            except (Gone, httpx.TransportError):
                self._wait()

    def _wait(self) -> None:
        """Until somebody answers again."""
        while not self._stop_asked.wait(_PAUSE_SECONDS):
            try:
                self._client.get("/v2/")
            except httpx.TransportError:
                continue
            return

    def _ask(
        self, method: str, path: str, *expected: int, content: bytes = b"", headers: dict[str, str]
    ) -> httpx.Response:
        answer = self._client.request(method, path, content=content, headers=headers)
        if answer.status_code in expected:
            return answer
        if answer.status_code != 503:
            self.account.odd.append(f"{method} {path}: {answer.status_code} {answer.text}")
        raise Gone

    def _content(self, most: int = 400_000) -> bytes:
        return self._chance.randbytes(self._chance.randint(1, most))

    def _lone_blob(self) -> None:
        self._blob(self._content())

    def _blob(self, content: bytes) -> Digest:
        """Push a blob at once, or in chunks that go on where they were interrupted."""
        digest = Digest.of(content)
        self.account.unsure[digest] = content
        uploads = f"/v2/{self.account.repository}/blobs/uploads/"
        if self._chance.random() < 0.5:
            self._ask("POST", f"{uploads}?digest={digest}", 201, content=content, headers={})
        else:
            location = self._ask("POST", uploads, 202, headers={}).headers["location"]
            self._chunks(location, content)
            self._finish(location, digest)
        self.account.blobs[digest] = self.account.unsure.pop(digest)
        return digest

    def _chunks(self, location: str, content: bytes) -> None:
        """Send chunks; what was acknowledged is never asked for again, whatever happened in between."""
        acknowledged = 0
        step = len(content) // _CHUNKS + 1
        while acknowledged < len(content):
            chunk = content[acknowledged : acknowledged + step]
            said = {"Content-Range": f"{acknowledged}-{acknowledged + len(chunk) - 1}"}
            try:
                self._ask("PATCH", location, 202, content=chunk, headers=said)
                acknowledged += len(chunk)
            except (Gone, httpx.TransportError):
                acknowledged = self._reached(location, acknowledged, len(content))

    def _reached(self, location: str, acknowledged: int, size: int) -> int:
        """Where an interrupted upload stands, once somebody answers again."""
        while not self._stop_asked.is_set():
            try:
                answer = self._ask("GET", location, 204, headers={})
            except httpx.TransportError:
                time.sleep(_PAUSE_SECONDS)
                continue
            end = int(answer.headers["range"].partition("-")[2])
            reached = end + 1 if end or acknowledged else self._first(location)
            if not acknowledged <= reached <= size:
                self.account.odd.append(f"{location} stands at {reached} of {size}; {acknowledged} were acknowledged")
            return reached
        raise Gone

    def _first(self, location: str) -> int:
        """Nothing and one byte have the same range: an upload that takes a chunk at 0 has none."""
        answer = self._client.patch(location, content=b"", headers={"Content-Length": "0"})
        return 0 if answer.status_code == 202 else 1

    def _finish(self, location: str, digest: Digest) -> None:
        try:
            self._ask("PUT", f"{location}?digest={digest}", 201, headers={})
        except httpx.TransportError:
            # It may have become a blob before the silence; then the upload is gone.
            path = f"/v2/{self.account.repository}/blobs/{digest}"
            while not self._stop_asked.is_set():
                try:
                    if self._client.head(path).status_code == 200:
                        return
                    # The bytes may be a blob that nobody was told of: then the upload is gone, and is to be begun anew.
                    if self._ask("PUT", f"{location}?digest={digest}", 201, 404, headers={}).status_code == 404:
                        raise Gone
                    return
                except httpx.TransportError:
                    time.sleep(_PAUSE_SECONDS)
            raise Gone from None

    def _image(self) -> None:
        """Push an image of two layers under one of a few tags, which moves."""
        self._number += 1
        config = json.dumps({"architecture": "amd64", "os": "linux", "number": f"{self.name}-{self._number}"}).encode()
        layers = [self._content(), self._content(1_000)]
        for content in (config, *layers):
            self._blob(content)
        body = make_manifest(config, *layers)
        self._tag(f"t{self._chance.randint(0, 9)}", body)

    def _tag(self, tag: str, body: bytes) -> None:
        digest = Digest.of(body)
        self.account.tags.setdefault(tag, {""}).add(str(digest))
        self.account.unsure[digest] = body
        path = f"/v2/{self.account.repository}/manifests/{tag}"
        self._ask("PUT", path, 201, content=body, headers={"Content-Type": MANIFEST})
        self.account.manifests[digest] = self.account.unsure.pop(digest)
        self.account.tags[tag] = {str(digest)}

    def _untag(self) -> None:
        held = [tag for tag, names in self.account.tags.items() if len(names) == 1 and names != {""}]
        if not held:
            return
        tag = self._chance.choice(held)
        self.account.tags[tag].add("")
        self._ask("DELETE", f"/v2/{self.account.repository}/manifests/{tag}", 202, headers={})
        self.account.tags[tag] = {""}

    def _mount(self) -> None:
        """Mount a blob into another repository; it is there or an upload begins."""
        if self.account.blobs:
            digest = self._chance.choice(list(self.account.blobs))
            source = self.account.repository
            self._ask("POST", f"/v2/{source}-copy/blobs/uploads/?mount={digest}&from={source}", 201, headers={})


def losses(client: httpx.Client, account: Account) -> Iterator[str]:
    """What the registry does not hold although it said so, or holds in part."""
    there = f"/v2/{account.repository}"
    for digest, content in account.blobs.items():
        answer = client.get(f"{there}/blobs/{digest}")
        if (answer.status_code, answer.content) != (200, content):
            yield f"blob {digest}: {answer.status_code}, {len(answer.content)} of {len(content)} bytes"
    for digest, content in account.manifests.items():
        answer = client.get(f"{there}/manifests/{digest}")
        if (answer.status_code, answer.content) != (200, content):
            yield f"manifest {digest}: {answer.status_code}"
    for digest, content in account.unsure.items():
        for kind in ("blobs", "manifests"):
            answer = client.get(f"{there}/{kind}/{digest}")
            if answer.status_code != 404 and (answer.status_code, answer.content) != (200, content):
                yield f"in part: {kind} {digest}: {answer.status_code}, {len(answer.content)} of {len(content)} bytes"
    for tag, names in account.tags.items():
        answer = client.head(f"{there}/manifests/{tag}")
        named = answer.headers["docker-content-digest"] if answer.status_code == 200 else ""
        if named not in names:
            yield f"tag {tag}: {named or answer.status_code}, not one of {sorted(names)}"
