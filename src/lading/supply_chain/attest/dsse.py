"""DSSE: the envelope that signs a payload together with its type (secure-systems-lab/dsse, protocol.md, envelope.md).

PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lading.kernel.canonical import canonical_json
from lading.supply_chain.attest import strict_json
from lading.supply_chain.attest.errors import MalformedEnvelope
from lading.supply_chain.attest.keys import Signer, Verifier, verified_by

MEDIA_TYPE: Final = "application/vnd.dsse.envelope.v1+json"
MOST_BYTES: Final = 128 * 1024 * 1024
_MOST_SIGNATURES: Final = 16


class _Signature(msgspec.Struct):
    sig: str
    keyid: str = ""


class _Wire(msgspec.Struct, rename="camel"):
    payload_type: str
    payload: str
    signatures: list[_Signature]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, its type and the signatures over both, as pairs of key id and signature."""

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]

    def encode(self) -> bytes:
        """The JSON form, canonical."""
        return canonical_json(self.document())

    def document(self) -> dict[str, Any]:
        """The JSON value."""
        return {
            "payloadType": self.payload_type,
            "payload": base64.b64encode(self.payload).decode(),
            "signatures": [
                {"keyid": key, "sig": base64.b64encode(signature).decode()} for key, signature in self.signatures
            ],
        }

    @classmethod
    def decode(cls, content: bytes) -> Envelope:
        """Read the JSON form, standard or URL-safe base 64; raises MalformedEnvelope."""
        return cls.of(strict_json.decode(content, "An envelope", most=MOST_BYTES))

    @classmethod
    def of(cls, value: object) -> Envelope:
        """The envelope that a JSON value is; raises MalformedEnvelope."""
        try:
            wire = msgspec.convert(value, _Wire)
        except msgspec.ValidationError as error:
            raise MalformedEnvelope(f"This is not a DSSE envelope: {str(error)[:200]}.") from error
        if not 1 <= len(wire.signatures) <= _MOST_SIGNATURES:
            raise MalformedEnvelope(f"The envelope has {len(wire.signatures)} signatures.")
        signatures = tuple((one.keyid, _decoded(one.sig)) for one in wire.signatures)
        return cls(wire.payload_type, _decoded(wire.payload), signatures)


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding: exactly the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload_type: str, payload: bytes, signer: Signer) -> Envelope:
    """An envelope with one signature; raises KeyUnusable.

    The key id in it stays empty: it is only a hint, and verifiers that name keys in another way than we do, as cosign
    does, pass over a signature with an id that is not theirs.
    """
    return Envelope(payload_type, payload, (("", signer.sign(pae(payload_type, payload))),))


def verify(envelope: Envelope, verifiers: Iterable[Verifier]) -> Verifier:
    """The key that one of the signatures holds for; raises SignatureInvalid."""
    message = pae(envelope.payload_type, envelope.payload)
    return verified_by(message, (signature for _, signature in envelope.signatures), verifiers)


def _decoded(text: str) -> bytes:
    padded = text + "=" * (-len(text) % 4)
    try:
        return base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedEnvelope("The envelope holds something that is not base 64.") from error
