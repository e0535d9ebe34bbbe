"""Which blobs clients are sent to the object store for."""

from __future__ import annotations

from lading.kernel.digest import Digest
from lading.supply_chain.registry.errors import StorageFailed
from lading.supply_chain.registry.redirecting import Redirects

DIGEST = Digest.of(b"content")


def test_large_blobs_are_elsewhere_for_as_long_as_was_said() -> None:
    redirects = Redirects(lambda digest, seconds: f"https://store/{digest}?{seconds}", 45, least=1_000)
    assert redirects.location(DIGEST, 1_000) == f"https://store/{DIGEST}?45"
    assert redirects.location(DIGEST, 999) == ""


def test_what_cannot_be_signed_for_is_served_directly() -> None:
    def sign(_digest: Digest, _seconds: int) -> str:
        raise StorageFailed("no credentials")

    assert Redirects(sign, 45).location(DIGEST, 1 << 20) == ""
