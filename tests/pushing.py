"""Images pushed over HTTP by an ordinary client, as many and as random as a test wants."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class PushedImage:
    """What was acknowledged: the manifest's digest and those of its blobs."""

    repository: str
    tag: str
    digest: str
    blobs: tuple[str, ...]


class Pusher:
    """Pushes with a robot's token."""

    def __init__(self, push: str, robot: str, token: str) -> None:
        self._http = httpx.Client(base_url=f"http://{push}", auth=(robot, token), timeout=60, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def push(
        self, repository: str, tag: str, *, layers: int = 3, size: int = 20_000, contents: Sequence[bytes] = ()
    ) -> PushedImage:
        """Push an image of random layers, or of these; returns when its manifest was acknowledged."""
        contents = contents or [os.urandom(size) for _ in range(layers)]
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "rootfs": {"type": "layers", "diff_ids": []},
                "nonce": os.urandom(8).hex(),
            }
        ).encode()
        described = [self._blob(repository, content, LAYER) for content in contents]
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self._blob(repository, config, CONFIG),
                "layers": described,
            }
        ).encode()
        answer = self._http.put(
            f"/v2/{repository}/manifests/{tag}", content=manifest, headers={"Content-Type": MANIFEST}
        )
        assert answer.status_code == 201, answer.text
        blobs = tuple(digest_of(content) for content in (config, *contents))
        return PushedImage(repository, tag, answer.headers["Docker-Content-Digest"], blobs)

    def manifest(self, repository: str, reference: str) -> httpx.Response:
        return self._http.get(f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFEST})

    def blob(self, repository: str, digest: str) -> httpx.Response:
        return self._http.get(f"/v2/{repository}/blobs/{digest}")

    def _blob(self, repository: str, content: bytes, media_type: str) -> dict[str, object]:
        digest = digest_of(content)
        started = self._http.post(f"/v2/{repository}/blobs/uploads/")
        assert started.status_code == 202, started.text
        place = started.headers["Location"]
        joined = f"{place}{'&' if '?' in place else '?'}digest={digest}"
        ended = self._http.put(joined, content=content, headers={"Content-Type": "application/octet-stream"})
        assert ended.status_code == 201, ended.text
        return {"mediaType": media_type, "digest": digest, "size": len(content)}


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def complaints(pusher: Pusher, images: list[PushedImage]) -> list[str]:
    """What of acknowledged images cannot be had any more, byte for byte."""
    found = []
    for image in images:
        for reference in (image.digest, image.tag):
            answer = pusher.manifest(image.repository, reference)
            if answer.status_code != 200 or digest_of(answer.content) != image.digest:
                found.append(f"{image.repository} {reference}: {answer.status_code}")
        for blob in image.blobs:
            answer = pusher.blob(image.repository, blob)
            if answer.status_code != 200 or digest_of(answer.content) != blob:
                found.append(f"{image.repository} {blob}: {answer.status_code}")
    return found
