"""Facts about the keys whose signatures count."""

from __future__ import annotations

from lading.facts.fact import Fact
from lading.kernel.subject import Subject, SubjectKind


class _AboutKey(Fact, frozen=True, kw_only=True, tag="_about-key"):
    key_id: str

    def subject(self) -> Subject:
        return Subject(SubjectKind.KEY, self.key_id)


class KeyTrusted(_AboutKey, frozen=True, kw_only=True, tag="key.trusted"):
    """Signatures by a key count from now on. `ours`: Lading signs with it; `pem` is the public key."""

    name: str
    algorithm: str
    pem: str
    ours: bool


class KeyRevoked(_AboutKey, frozen=True, kw_only=True, tag="key.revoked"):
    """No signature by a key counts any more, whenever it was made."""

    name: str
    why: str
