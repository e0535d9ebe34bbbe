"""Content digests, as of the OCI image specification ("Digests" in descriptor.md): `algorithm:hex`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from lading.kernel.errors import InvalidInput

_LENGTHS: Final = {"sha256": 64, "sha512": 128}
_GRAMMAR: Final = re.compile(r"(?P<algorithm>sha256|sha512):(?P<hex>[0-9a-f]+)")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256 or sha512 digest of some content."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `algorithm:hex`; raises InvalidInput for an unknown algorithm, a wrong length or upper-case hex."""
        match = _GRAMMAR.fullmatch(text)
        if match is None or len(match["hex"]) != _LENGTHS[match["algorithm"]]:
            raise InvalidInput(
                f"{text[:140]!r} is not a digest.",
                remedy="Write it as sha256: followed by 64 lower-case hexadecimal digits (or sha512: and 128).",
            )
        return cls(match["algorithm"], match["hex"])

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Digest:
        """The digest of `content`."""
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    @property
    def short(self) -> str:
        """Twelve digits for people; never used to look anything up."""
        return self.hex[:12]

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"
