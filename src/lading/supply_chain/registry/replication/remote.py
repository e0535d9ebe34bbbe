"""Any OCI registry as a target: what pushing to it over a bad line takes beyond what a copy takes.

Uploads in chunks that can be continued (distribution 1.1, "Pushing a blob in chunks"), mounts, deletion, and the tag
that stands in for the referrers API where a registry has none ("Pushing Manifests with Subject").
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import httpx

from lading.kernel.digest import Digest
from lading.supply_chain.registry.client import RemoteRegistry
from lading.supply_chain.registry.errors import DigestInvalid, ManifestUnknown
from lading.supply_chain.registry.manifest import OCI_INDEX, read_manifest

_RANGE: Final = re.compile(r"(?:bytes=)?0-(\d{1,18})")
_OCTETS: Final = "application/octet-stream"
_MOST_REFERRERS: Final = 5_000


class PushedTo(RemoteRegistry):
    """One registry as one user, to push to. Errors are RegistryErrors."""

    # Uploads

    def begin(self, repository: str, digest: Digest, mount_from: str = "") -> str:
        """Where an upload of `digest` goes on; empty when the registry took the blob from `mount_from` instead."""
        path = f"/v2/{repository}/blobs/uploads/"
        if mount_from:
            path += f"?mount={digest}&from={mount_from}"
        with self._answer("POST", path, repository) as answer:
            if mount_from and answer.status_code == httpx.codes.CREATED:
                return ""
            self._expect(answer, httpx.codes.ACCEPTED)
            return self._location(answer)

    def progress(self, repository: str, location: str) -> tuple[str, int] | None:
        """Where an upload goes on and how many bytes are there; None when it is gone, or nothing of it is there."""
        with self._answer("GET", location, repository) as answer:
            if answer.status_code not in (httpx.codes.NO_CONTENT, httpx.codes.ACCEPTED):
                return None
            found = _RANGE.fullmatch(answer.headers.get("range", ""))
            # 0-0 is said of no byte and of one.
            if found is None or found[1] == "0":
                return None
            return (self._location(answer) if "location" in answer.headers else location), int(found[1]) + 1

    def put_chunk(self, repository: str, location: str, chunk: bytes, at: int) -> str:
        """Add a chunk that begins at byte `at`; returns where the upload goes on."""
        headers = {"Content-Range": f"{at}-{at + len(chunk) - 1}", "Content-Type": _OCTETS}
        with self._answer("PATCH", location, repository, headers=headers, content=chunk) as answer:
            self._expect(answer, httpx.codes.ACCEPTED)
            return self._location(answer)

    def finish(self, repository: str, location: str, digest: Digest, rest: bytes = b"") -> None:
        """Make an upload, with `rest` at its end, a blob; raises DigestInvalid."""
        mark = "&" if "?" in location else "?"
        headers = {"Content-Type": _OCTETS}
        url = f"{location}{mark}digest={digest}"
        with self._answer("PUT", url, repository, headers=headers, content=rest) as answer:
            if answer.status_code == httpx.codes.BAD_REQUEST:
                raise DigestInvalid(f"{self._url} says the content is not {digest}.", remedy="It is sent again.")
            self._expect(answer, httpx.codes.CREATED)

    # Manifests

    def has_manifest(self, repository: str, reference: str) -> bool:
        """Whether there is such a tag or manifest."""
        with self._answer("HEAD", f"/v2/{repository}/manifests/{reference}", repository, headers=_ACCEPTED) as answer:
            if answer.status_code == httpx.codes.NOT_FOUND:
                return False
            self._expect(answer, httpx.codes.OK)
        return True

    def tagged(self, repository: str, tag: str) -> str:
        """The digest that a tag names; empty when there is no such tag, or the registry does not say."""
        with self._answer("HEAD", f"/v2/{repository}/manifests/{tag}", repository, headers=_ACCEPTED) as answer:
            if answer.status_code == httpx.codes.NOT_FOUND:
                return ""
            self._expect(answer, httpx.codes.OK)
            return str(answer.headers.get("docker-content-digest", ""))

    def put_manifest(self, repository: str, reference: str, media_type: str, body: bytes) -> Digest:
        path = f"/v2/{repository}/manifests/{reference}"
        with self._answer("PUT", path, repository, headers={"Content-Type": media_type}, content=body) as answer:
            self._expect(answer, httpx.codes.CREATED)
            knows_referrers = "oci-subject" in answer.headers
        manifest = read_manifest(body, media_type, reference.partition(":")[0] if ":" in reference else "sha256")
        if manifest.refers_to is not None and not knows_referrers:
            self._list_referrer(repository, manifest.refers_to, media_type, body, manifest.digest)
        return manifest.digest

    def remove(self, repository: str, reference: str) -> bool:
        """Delete a tag or manifest; whether the registry does that and had it."""
        with self._answer("DELETE", f"/v2/{repository}/manifests/{reference}", repository) as answer:
            if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED, httpx.codes.BAD_REQUEST):
                return False
            self._expect(answer, httpx.codes.ACCEPTED)
        return True

    def _list_referrer(self, repository: str, subject: Digest, media_type: str, body: bytes, digest: Digest) -> None:
        """Add a manifest to the index under the referrers tag of its subject ("Referrers Tag Schema")."""
        tag = str(subject).replace(":", "-", 1)[:128]
        try:
            known = json.loads(self.manifest(repository, tag).body)["manifests"]
        except (ManifestUnknown, ValueError, KeyError, TypeError, RecursionError):
            known = []
        listed: list[Any] = [item for item in known if isinstance(item, dict)] if isinstance(known, list) else []
        if any(item.get("digest") == str(digest) for item in listed) or len(listed) >= _MOST_REFERRERS:
            return
        said = json.loads(body)
        kind = said.get("artifactType") or said.get("config", {}).get("mediaType", "")
        entry: dict[str, Any] = {"mediaType": media_type, "digest": str(digest), "size": len(body)}
        entry |= {"artifactType": kind} if kind else {}
        entry |= {"annotations": said["annotations"]} if said.get("annotations") else {}
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*listed, entry]}
        content = json.dumps(index).encode()
        with self._answer(
            "PUT", f"/v2/{repository}/manifests/{tag}", repository, headers={"Content-Type": OCI_INDEX}, content=content
        ) as answer:
            self._expect(answer, httpx.codes.CREATED)


_ACCEPTED: Final = {
    "Accept": ", ".join(
        (
            "application/vnd.oci.image.manifest.v1+json",
            OCI_INDEX,
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
        )
    )
}
