"""Which form a bill of materials has, its bounds, and the inventory that it comes to."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.strict_json import check_json
from lading.supply_chain.inventory.errors import SbomInvalid
from lading.supply_chain.inventory.sboms import cyclonedx, spdx
from lading.supply_chain.inventory.sboms.packages import Collected
from lading.supply_chain.inventory.values import ImageInventory

MOST_BYTES: Final = 1 << 30
_HEAD: Final = 1 << 16
_FORMS: Final = re.compile(rb'"(bomFormat|spdxVersion|@context)"\s*:')


class _Head(msgspec.Struct):
    bom_format: str = msgspec.field(name="bomFormat", default="")
    spec_version: str = msgspec.field(name="specVersion", default="")
    spdx_version: str = msgspec.field(name="spdxVersion", default="")


def looks_like_sbom(head: bytes) -> bool:
    """Whether the first bytes of a file (64 KiB are enough, and are not always) are of a bill of materials."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and _FORMS.search(head[:_HEAD]) is not None


def read_sbom(body: bytes, name: str) -> ImageInventory:
    """The inventory that a bill of materials comes to; its `image` is the digest of the document.

    Raises:
        SbomInvalid: too large, not JSON, of another form or version, or malformed.
    """
    try:
        check_json(body, name, most=MOST_BYTES)
    except InvalidInput as error:
        raise SbomInvalid(error.what, remedy=error.remedy) from error
    try:
        collected = _reader(body, name)(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SbomInvalid(f"{name} is malformed: {str(error)[:200]}.", remedy="Write it again.") from error
    packages = sorted(collected.packages, key=lambda one: (one.ecosystem, one.purl, one.path))
    return ImageInventory(
        image=str(Digest.of(body)),
        cataloger_version="sbom",
        layers=(),
        packages=tuple(packages),
        distribution=collected.distribution,
        release=collected.release,
        gaps=collected.gaps(),
    )


def _reader(body: bytes, name: str) -> Callable[[bytes], Collected]:
    head = msgspec.json.decode(body, type=_Head)
    if head.bom_format == "CycloneDX" and head.spec_version in cyclonedx.VERSIONS:
        return cyclonedx.read
    if head.spdx_version in spdx.VERSIONS:
        return spdx.read
    found = f"CycloneDX {head.spec_version}" if head.bom_format == "CycloneDX" else head.spdx_version or "another form"
    raise SbomInvalid(
        f"{name} is {found[:60]}, which is not read.",
        remedy="Write it as CycloneDX 1.4 to 1.7 or SPDX 2.3, as JSON.",
    )
