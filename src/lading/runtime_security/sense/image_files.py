"""The port to the files of an image: what drift is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from lading.runtime_security.errors import ImageNotIndexed


class ImageFile(NamedTuple):
    """A regular file of an image; `sha256` in hex, empty when the index has none."""

    sha256: str
    size: int


class ImageFiles(Protocol):
    """Knows the files of images."""

    def lookup(self, image: str, path: str) -> ImageFile | None:
        """The regular file at the absolute, resolved `path` of `image`; None when the image has none there.

        Raises:
            ImageNotIndexed: the files of this image are not known.
        """
        ...


class MemoryImageFiles:
    """An ImageFiles that is told."""

    def __init__(self, images: Mapping[str, Mapping[str, ImageFile]]) -> None:
        self.images = {image: dict(files) for image, files in images.items()}

    def lookup(self, image: str, path: str) -> ImageFile | None:
        if image not in self.images:
            raise ImageNotIndexed(f"The files of image {image[:80]} are not known.")
        return self.images[image].get(path)
