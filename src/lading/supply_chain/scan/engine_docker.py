"""Images that a Docker Engine on this machine has, taken as `docker save` would give them.

The stream goes into a nameless file, because its index comes after its layers; the file is gone when the scan ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import docker
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

from lading.supply_chain.scan.archive import Archive, from_archive
from lading.supply_chain.scan.errors import TargetInvalid, TargetUnknown, TargetUnreadable
from lading.supply_chain.scan.image import OpenedImage

_MOST: Final = 64 << 30
_SECONDS: Final = 600
_UNIX: Final = "unix://"


@contextmanager
def open_from_engine(name: str, address: str, *, platform: str = "") -> Iterator[OpenedImage]:
    """Open an image of the engine that answers at `address` (`unix:///…`).

    Raises:
        TargetUnknown: the engine does not have it.
        TargetUnreadable: the engine does not answer, or the temporary directory is full.
    """
    if address.startswith(_UNIX) and not Path(address.removeprefix(_UNIX)).is_socket():
        raise TargetUnreadable(
            f"No engine answers at {address}, so there is no image {name}.",
            remedy="Start one, name another with DOCKER_HOST, or name a registry: registry.example/shop/web:1.4.",
        )
    with tempfile.TemporaryFile() as spool:
        _save(name, address, spool)
        spool.seek(0)
        yield from_archive(Archive(spool, name), name, platform=platform, kind="engine")


def _save(name: str, address: str, spool: IO[bytes]) -> None:
    try:
        client = docker.DockerClient(base_url=address, timeout=_SECONDS, version="auto")
        try:
            written = 0
            for chunk in client.images.get(name).save(chunk_size=1 << 20):
                written += len(chunk)
                if written > _MOST:
                    raise TargetInvalid(f"{name} is larger than {_MOST >> 30} GiB.")
                spool.write(chunk)
        finally:
            client.close()
    except ImageNotFound as error:
        raise TargetUnknown(
            f"The engine at {address} has no image {name}.",
            remedy="Name a registry (registry.example/shop/web:1.4), a file, or an image that `docker images` shows.",
        ) from error
    except (DockerException, RequestException, OSError) as error:
        raise TargetUnreadable(
            f"The image {name} cannot be had from the engine at {address}: {str(error)[:200]}.",
            remedy="Is it running, and may you use its socket? Name another with DOCKER_HOST.",
        ) from error
