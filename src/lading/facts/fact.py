"""What a fact is: frozen data about one subject, versioned, without behaviour.

Facts are what is kept for ever, so they carry the wire form of things (a digest is text) and a receiving room parses
what it needs at its own edge. A field may be added with a default; a field is never renamed or given a new meaning:
that takes a new kind.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from lading.kernel.subject import Subject


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """The base of every kind of fact. The tag of a subclass is its kind, `noun.past-participle`."""

    def subject(self) -> Subject:
        """The one thing this fact is about."""
        raise TypeError(f"{type(self).__name__} does not say what it is about")

    @classmethod
    def kind(cls) -> str:
        """The tag, as it stands in the ledger."""
        return str(cls.__struct_config__.tag)


class Entry(msgspec.Struct, frozen=True):
    """A fact as the ledger keeps it."""

    seq: int
    at: datetime
    actor: str
    subject: Subject
    fact: Fact
    hash: bytes
