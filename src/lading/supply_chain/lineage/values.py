"""What is known of an image's base."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

Word = Literal["", "verified", "unverified", "contradicted"]


class Claim(NamedTuple):
    """What an image says that it is built on: a reference and a digest, each empty where it is not said."""

    name: str = ""
    digest: str = ""


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """The image that another one begins with.

    `name` is a tag of it here, or what the image says; `layers` how many it brings. `word` is what became of the
    image's own word: `verified` by the layers, `unverified` because no image of that digest is here, `contradicted`
    because one is and the image does not begin with it; empty when it says nothing. `created` is RFC 3339, empty where
    it is not told truly (reproducible images say 1970); `age_days` is -1 then. `moved_to` is the digest that the tag
    `name` names since `moved_at`, when that is another now.
    """

    digest: str = ""
    name: str = ""
    layers: int = 0
    word: Word = ""
    said: str = ""
    created: str = ""
    age_days: int = -1
    moved_to: str = ""
    moved_at: str = ""

    @property
    def is_outdated(self) -> bool:
        """Whether its tag names a newer image."""
        return bool(self.moved_to)

    def document(self, reference: str = "", digest: str = "") -> dict[str, Any]:
        """It as policies see it; `reference` and `digest` are what the build said, where it did."""
        return {
            "reference": reference or self.name,
            "digest": digest or self.digest,
            "known": bool(digest or self.digest),
            "word": self.word,
            "layers": self.layers,
            "age_days": self.age_days,
            "outdated": self.is_outdated,
            "moved_to": self.moved_to,
        }
