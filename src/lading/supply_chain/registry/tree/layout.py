"""Where things lie in the tree. Pure: names in, paths out.

    _served/NAME/_manifests/DIGEST.TYPE     the manifest; TYPE says its media type
    _served/NAME/_tags/TAG                  a symbolic link to the manifest, or to its refusal
    _served/NAME/_blobs/DIGEST              a link into the content-addressed store
    _served/NAME/_referrers/DIGEST          what refers to a manifest
    _served/NAME/_refused/DIGEST            the error that says why a manifest is not served, and what replaces it
    _served/NAME/_list                      the tags
    .log/pulls.jsonl                        what nginx answered from here, for `taking_in_log`

No component of a repository's name begins with an underscore, so whatever a repository is called (`a/manifests`,
`a/blobs/sha256`), its path never meets one of another. No tag or digest has a slash, and no tag has a colon.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from lading.kernel.digest import Digest
from lading.supply_chain.registry.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from lading.supply_chain.registry.reading import check_name

SERVED: Final = "_served"
MANIFESTS: Final = "_manifests"
TAGS: Final = "_tags"
BLOBS: Final = "_blobs"
REFERRERS: Final = "_referrers"
REFUSED: Final = "_refused"
LIST: Final = "_list"
LOG: Final = ".log/pulls.jsonl"
AREAS: Final = (MANIFESTS, TAGS, BLOBS, REFERRERS, REFUSED)
ENDINGS: Final = {
    OCI_MANIFEST: "oci-manifest",
    OCI_INDEX: "oci-index",
    DOCKER_MANIFEST: "docker-manifest",
    DOCKER_LIST: "docker-list",
}


def repository(name: str) -> PurePosixPath:
    """The directory of a repository; raises NameInvalid for a name that breaks the grammar."""
    check_name(name)
    return PurePosixPath(SERVED, name)


def manifest(name: str, digest: Digest, media_type: str) -> PurePosixPath:
    """The file of a manifest."""
    return repository(name) / MANIFESTS / f"{digest}.{ENDINGS[media_type]}"


def manifests(name: str, digest: Digest) -> tuple[PurePosixPath, ...]:
    """Every file that a manifest may be, whatever its media type."""
    return tuple(manifest(name, digest, media_type) for media_type in ENDINGS)


def tag(name: str, text: str) -> PurePosixPath:
    """The link of a tag."""
    return repository(name) / TAGS / text


def blob(name: str, digest: Digest) -> PurePosixPath:
    """The link to a blob."""
    return repository(name) / BLOBS / str(digest)


def referrers(name: str, digest: Digest) -> PurePosixPath:
    """The file of the index of what refers to a manifest."""
    return repository(name) / REFERRERS / str(digest)


def refusal(name: str, digest: Digest) -> PurePosixPath:
    """The file of the error about a manifest."""
    return repository(name) / REFUSED / str(digest)


def tag_list(name: str) -> PurePosixPath:
    """The file of the list of tags."""
    return repository(name) / LIST


def digest_of(file_name: str) -> Digest:
    """The digest that a file of any area but the tags is named by; raises InvalidInput."""
    return Digest.parse(file_name.partition(".")[0])
