"""Sigstore bundles: a signature with all that it is verified by (sigstore protobuf-specs, sigstore_bundle.proto).

    {mediaType, verificationMaterial: {publicKey | certificate, tlogEntries, timestampVerificationData}, dsseEnvelope}

Bundles by a key are read and written here. In those by an identity the certificate, the log and the timestamps are left
to an `IdentityVerifier`, which gets the bytes as they are.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lading.kernel.canonical import canonical_json
from lading.supply_chain.attest import dsse, strict_json
from lading.supply_chain.attest.errors import MalformedEnvelope

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
MEDIA_TYPES: Final = frozenset(
    {MEDIA_TYPE, *(f"application/vnd.dev.sigstore.bundle+json;version=0.{minor}" for minor in (1, 2, 3))}
)
TYPE_PREFIX: Final = "application/vnd.dev.sigstore.bundle"
MOST_BYTES: Final = dsse.MOST_BYTES
# What stands beside the envelope: a certificate, an entry of a log with its proof, some timestamps.
_MOST_MATERIAL: Final = 1 << 20
_MOST_CERTIFICATES: Final = 10
_MOST_ENTRIES: Final = 32


class _Hint(msgspec.Struct):
    hint: str = ""


class _Certificate(msgspec.Struct, rename="camel"):
    raw_bytes: str


class _Chain(msgspec.Struct):
    certificates: list[_Certificate] = []


class _Timestamps(msgspec.Struct):
    rfc3161_timestamps: list[dict[str, Any]] = msgspec.field(default_factory=list, name="rfc3161Timestamps")


class _Material(msgspec.Struct, rename="camel"):
    public_key: _Hint | None = None
    certificate: _Certificate | None = None
    x509_certificate_chain: _Chain | None = msgspec.field(default=None, name="x509CertificateChain")
    tlog_entries: list[dict[str, Any]] = []
    timestamp_verification_data: _Timestamps | None = None


class _Message(msgspec.Struct):
    signature: str


class _Wire(msgspec.Struct, rename="camel"):
    media_type: str
    verification_material: _Material
    dsse_envelope: dict[str, Any] | None = None
    message_signature: _Message | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle: by an identity when it has a `certificate` (DER), otherwise by the key that `hint` is about.

    It holds either an `envelope`, or a `signature` over content that lies elsewhere. `raw` are its bytes.
    """

    hint: str
    certificate: bytes
    envelope: dsse.Envelope | None
    signature: bytes
    raw: bytes

    @classmethod
    def decode(cls, content: bytes) -> Bundle:
        """Read a bundle of version 0.1 to 0.3; raises MalformedEnvelope."""
        value = strict_json.decode(content, "A bundle", most=MOST_BYTES)
        try:
            if len(msgspec.json.encode(value.get("verificationMaterial"))) > _MOST_MATERIAL:
                raise MalformedEnvelope(f"What the bundle is verified by has more than {_MOST_MATERIAL} bytes.")
            wire = msgspec.convert(value, _Wire)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise MalformedEnvelope(f"This is not a sigstore bundle: {str(error)[:200]}.") from error
        if wire.media_type not in MEDIA_TYPES:
            raise MalformedEnvelope(f"Bundles of the type {wire.media_type[:100]!r} are not read.")
        if (wire.dsse_envelope is None) == (wire.message_signature is None):
            raise MalformedEnvelope("The bundle does not hold exactly one of an envelope and a signature.")
        envelope = None if wire.dsse_envelope is None else dsse.Envelope.of(wire.dsse_envelope)
        signature = b"" if wire.message_signature is None else decoded(wire.message_signature.signature)
        material = wire.verification_material
        hint = material.public_key.hint if material.public_key else ""
        return cls(hint, _certificate(material), envelope, signature, content)


def by_key(envelope: dsse.Envelope, key_id: str) -> bytes:
    """The bundle of an envelope that a key signed: as `cosign` writes it, without log and timestamps."""
    return canonical_json(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": hint_of(key_id)}},
            "dsseEnvelope": envelope.document(),
        }
    )


def hint_of(key_id: str) -> str:
    """What bundles call a key: the same SHA-256 of its SubjectPublicKeyInfo, in base 64."""
    return base64.b64encode(bytes.fromhex(key_id.partition(":")[2])).decode()


def decoded(text: str) -> bytes:
    """Standard base 64; raises MalformedEnvelope."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedEnvelope("The bundle holds something that is not base 64.") from error


def _certificate(material: _Material) -> bytes:
    """The certificate of who signed; empty for a key. There must be exactly one way to verify."""
    ways = [material.public_key, material.certificate, material.x509_certificate_chain]
    if sum(way is not None for way in ways) != 1:
        raise MalformedEnvelope("The bundle does not say by exactly one of key, certificate and chain who signed.")
    if len(material.tlog_entries) > _MOST_ENTRIES:
        raise MalformedEnvelope(f"The bundle has {len(material.tlog_entries)} entries of logs.")
    if material.certificate is not None:
        return decoded(material.certificate.raw_bytes) or _no_certificate()
    if material.x509_certificate_chain is None:
        return b""
    chain = material.x509_certificate_chain.certificates
    if not 1 <= len(chain) <= _MOST_CERTIFICATES:
        raise MalformedEnvelope(f"The bundle has a chain of {len(chain)} certificates.")
    return decoded(chain[0].raw_bytes) or _no_certificate()


def _no_certificate() -> bytes:
    raise MalformedEnvelope("The bundle has an empty certificate.")
