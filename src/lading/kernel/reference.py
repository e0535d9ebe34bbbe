"""Image references, in the full grammar that registries and clients share.

    reference  := name [ ":" tag ] [ "@" digest ]
    name       := [ domain "/" ] path
    domain     := host [ ":" port ]         host: DNS labels, IPv4 or bracketed IPv6
    path       := component { "/" component }
    component  := alpha-numeric { separator alpha-numeric },  separator: one of "." "_" "__" or any number of "-"
    tag        := [A-Za-z0-9_][A-Za-z0-9._-]{0,127}

Source: OCI distribution specification 1.1 ("Pulling manifests") for `name` and `tag`, and the reference grammar
documented by the distribution project for `domain`. A reference without a domain stays without one: Lading never
guesses a public registry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput

MAX_NAME_LENGTH: Final = 255

_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL: Final = r"(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])"
_DOMAIN: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def is_repository_name(text: str) -> bool:
    """Whether `text` is a repository path that a registry may serve (no domain, no tag)."""
    return len(text) <= MAX_NAME_LENGTH and _PATH.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Whether `text` is a legal tag."""
    return _TAG.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """Where an image is asked for: an optional registry, a repository path, and a tag, a digest, both or neither."""

    path: str
    domain: str = ""
    tag: str = ""
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference; raises InvalidInput naming the part that is wrong."""
        rest, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        head, slash, last = rest.rpartition("/")
        last, colon, tag = last.partition(":")
        if colon and not is_tag(tag):
            raise _wrong(text, f"{tag[:140]!r} is not a tag")
        domain, path = _split_domain(head + slash + last)
        if not is_repository_name(path):
            raise _wrong(text, f"{path[:300]!r} is not a repository name")
        if domain and _DOMAIN.fullmatch(domain) is None:
            raise _wrong(text, f"{domain[:300]!r} is not a registry address")
        return cls(path, domain, tag, digest)

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.domain}/{self.path}" if self.domain else self.path

    def at(self, digest: Digest) -> Reference:
        """The same repository, pinned to `digest` and without its tag."""
        return replace(self, tag="", digest=digest)

    def tagged(self, tag: str) -> Reference:
        """The same repository with `tag`, unpinned."""
        return replace(self, tag=tag, digest=None)

    def on(self, domain: str) -> Reference:
        """The same repository, tag and digest on another registry."""
        return replace(self, domain=domain)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def _split_domain(name: str) -> tuple[str, str]:
    """A first component is a domain when it has a dot, a port, brackets, upper case, or is `localhost`."""
    first, slash, rest = name.partition("/")
    looks_like_host = any(mark in first for mark in ".:[") or first == "localhost" or first != first.lower()
    return (first, rest) if slash and looks_like_host else ("", name)


def _wrong(text: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"{text[:300]!r} is not an image reference: {why}.",
        remedy="Write it as [REGISTRY/]REPOSITORY[:TAG][@DIGEST], for example shop/web:1.4 or shop/web@sha256:….",
    )
