"""Registries as targets: credentials from a file of the docker client's form, or a user and a token.

Only what the file says in itself is used; helpers that it names are programs, and are not run.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from lading.kernel.reference import Reference
from lading.supply_chain.registry.client import RemoteRegistry
from lading.supply_chain.scan.choosing import open_image
from lading.supply_chain.scan.errors import TargetInvalid
from lading.supply_chain.scan.image import OpenedImage

_MOST: Final = 1 << 20
_HUB: Final = "docker.io"
_HUB_KEY: Final = "https://index.docker.io/v1/"
_HUB_HOST: Final = "registry-1.docker.io"


@contextmanager
def open_remote(
    reference: Reference, *, platform: str = "", user: str = "", secret: str = "", plain_http: bool = False
) -> Iterator[OpenedImage]:
    """Open an image in the registry that a reference names.

    Raises:
        TargetInvalid: the index has no image for the platform.
        RegistryError: the registry does not have it, does not answer or does not let us in.
    """
    if not secret:
        user, secret = find_credentials(reference.domain)
    host, path = address_of(reference)
    registry = RemoteRegistry(f"{'http' if plain_http else 'https'}://{host}", user, secret)
    try:
        named = str(reference.digest) if reference.digest else reference.tag or "latest"
        yield open_image(registry, path, named, name=str(reference), kind="registry", platform=platform)
    finally:
        registry.close()


def address_of(reference: Reference) -> tuple[str, str]:
    """The host that serves what a reference names, and the repository there: the public hub has names of its own."""
    if reference.domain != _HUB:
        return reference.domain, reference.path
    return _HUB_HOST, reference.path if "/" in reference.path else f"library/{reference.path}"


def find_credentials(registry: str, file: Path | None = None) -> tuple[str, str]:
    """User and secret for a registry from the docker client's `config.json`; both empty when it has none.

    Raises:
        TargetInvalid: the file is malformed.
    """
    home = os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
    path = file or Path(home) / "config.json"
    try:
        with path.open("rb") as handle:
            body = handle.read(_MOST)
    except OSError:
        return "", ""
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TargetInvalid(f"{path} is not JSON: {str(error)[:200]}.", remedy="Mend or remove it.") from error
    entries = document.get("auths")
    found = entries.get(_HUB_KEY if registry == _HUB else registry) if isinstance(entries, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("auth"), str):
        return "", ""
    try:
        user, colon, secret = base64.b64decode(found["auth"], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise TargetInvalid(f"{path} has malformed credentials for {registry}.", remedy="Log in again.") from error
    return (user, secret) if colon else ("", "")
