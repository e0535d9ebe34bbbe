"""What regions say to each other: changes, in batches, signed by the region that sends them.

A change is a register and what it takes to act on it. The signature covers who speaks to whom, so that a batch means
nothing to a third region; taking an old batch in again changes nothing.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final, Protocol

import msgspec

from lading.supply_chain.registry.replication.errors import SignatureWrong, TargetInvalid
from lading.supply_chain.registry.replication.stamps import Register

MOST_BODY: Final = 24 << 20
MOST_CHANGES: Final = 500
MOST_REGIONS: Final = 100
_DOMAIN: Final = b"lading-replication-v1\0"

Short = Annotated[str, msgspec.Meta(max_length=400)]
Long = Annotated[str, msgspec.Meta(max_length=2_000)]


class Moved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every change says: the register as it is at the sender, and who moved it there."""

    register: Register
    actor: Short = ""


class TagChange(Moved, frozen=True, kw_only=True, tag="tag"):
    """A tag names this digest, or nothing any more."""

    repository: Short
    tag: Short


class ManifestChange(Moved, frozen=True, kw_only=True, tag="manifest"):
    """A repository of `team` has this manifest, or does not any more; `named` is its tag when it is a signature."""

    repository: Short
    digest: Short
    team: Short = ""
    visibility: Short = ""
    media_type: Short = ""
    named: Short = ""
    body: bytes = b""


class StateChange(Moved, frozen=True, kw_only=True, tag="state"):
    """An image is in this state."""

    digest: Short
    state: Short
    why: Long = ""
    decision: Short = ""
    until: Short = ""
    replaced_by: Long = ""
    since: Short = ""


class OwnerChange(Moved, frozen=True, kw_only=True, tag="owner"):
    """An image belongs to this team."""

    digest: Short
    team: Short


class VisibilityChange(Moved, frozen=True, kw_only=True, tag="visibility"):
    """Who may see a repository."""

    repository: Short
    visibility: Short


Change = TagChange | ManifestChange | StateChange | OwnerChange | VisibilityChange


class Result(StrEnum):
    """What became of a change."""

    APPLIED = "applied"
    KNOWN = "known"
    OLDER = "older"
    CONFLICT = "conflict"
    WANTED = "wanted"
    REFUSED = "refused"
    LATER = "later"


# The target has it, or something that stays instead of it; the others are sent again.
SETTLED: Final = frozenset({Result.APPLIED, Result.KNOWN, Result.OLDER, Result.CONFLICT})


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one change. `missing` are digests that have to be there first; `why` is for people."""

    result: Result
    why: str = ""
    missing: tuple[str, ...] = ()


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """How a region introduces itself."""

    region: str
    version: str
    key_id: str
    key: str
    push: str


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Changes from one region to another."""

    sender: Short
    to: Short
    changes: Annotated[tuple[Change, ...], msgspec.Meta(max_length=MOST_CHANGES)]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as it travels: its JSON and the signature over it, both in base64."""

    payload: str
    key_id: Short
    signature: Long


class RegionKey(Protocol):
    """The key that this region signs with."""

    @property
    def key_id(self) -> str:
        """The name of the key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature over a message."""
        ...

    def public_pem(self) -> str:
        """The public key as PEM."""
        ...


class Verify(Protocol):
    """Checks a signature with a public key that was kept as PEM."""

    def __call__(self, pem: str, message: bytes, signature: bytes) -> bool:
        """Whether the key behind `pem` signed `message`."""
        ...


class RegionLink(Protocol):
    """The way to another region. Errors are RegistryErrors; TargetFailed when it does not answer."""

    def describe(self) -> Description:
        """How the other region introduces itself."""
        ...

    def tell(self, changes: Sequence[Change]) -> list[Outcome]:
        """Say at most MOST_CHANGES changes, in order; one outcome each. Saying them again is harmless."""
        ...


def seal(batch: Batch, key: RegionKey) -> Envelope:
    """A batch, signed."""
    payload = msgspec.json.encode(batch)
    signature = key.sign(_DOMAIN + payload)
    return Envelope(payload=b64encode(payload).decode(), key_id=key.key_id, signature=b64encode(signature).decode())


def opened(body: bytes, *, sender: str, to: str, pem: str, verify: Verify) -> Batch:
    """The batch in an envelope that came from `sender`.

    Raises:
        TargetInvalid: it is malformed, too large, or says too much.
        SignatureWrong: it is not signed with the key of `sender`, or not meant for us.
    """
    try:
        envelope = msgspec.json.decode(body, type=Envelope)
        payload = b64decode(envelope.payload, validate=True)
        signature = b64decode(envelope.signature, validate=True)
    except (msgspec.MsgspecError, binascii.Error, ValueError, RecursionError) as error:
        raise TargetInvalid(f"What {sender} sent is malformed: {error}.") from error
    if not verify(pem, _DOMAIN + payload, signature):
        raise SignatureWrong(
            f"What {sender} sent is not signed with the key that was accepted for it.",
            remedy="If its key changed, accept the region again with the new one.",
        )
    try:
        batch = msgspec.json.decode(payload, type=Batch)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise TargetInvalid(f"What {sender} sent is malformed: {error}.", remedy="Are both of one version?") from error
    if (batch.sender, batch.to) != (sender, to):
        raise SignatureWrong(f"This batch is from {batch.sender} to {batch.to}, and we are {to}.")
    return batch
