"""Signatures by identities, verified with sigstore-python against a root of trust in a file; needs no network.

The file is sigstore's `trusted_root.json`: which authority gives certificates, which logs record them and signatures,
and whose timestamps count. That of the public instance comes with sigstore's own tools; a private instance has its own.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from lading.kernel.digest import Digest
from lading.supply_chain.attest.bundle import Bundle
from lading.supply_chain.attest.errors import KeylessUnavailable, SignatureInvalid
from lading.supply_chain.attest.identities import Identity

try:
    from sigstore import errors, hashes, models, verify
    from sigstore_models.common.v1 import HashAlgorithm
except ImportError as missing:
    raise KeylessUnavailable(
        "Signatures by identities need the package sigstore.", remedy="Run: pip install sigstore"
    ) from missing

_MOST_ROOT: Final = 4 << 20
_FULCIO: Final = "1.3.6.1.4.1.57264.1."
_ISSUER: Final = "8"
_OLD_ISSUER: Final = "1"
# What a certificate says of the pipeline that it was given to (sigstore/fulcio, docs/oid-info.md), by the last number.
_CLAIMS: Final = {
    "9": "build_signer_uri", "10": "build_signer_digest", "11": "runner", "12": "source_repository",
    "13": "source_digest", "14": "source_ref", "15": "source_repository_id", "16": "source_owner",
    "17": "source_owner_id", "18": "build_config_uri", "19": "build_config_digest", "20": "trigger",
    "21": "run", "22": "source_visibility",
}  # fmt: skip
_PRINTABLE: Final = re.compile(r"[\x20-\x7e\u00a0-\uffff]{0,2048}")


class _Anybody:
    """Every identity: who it is is found out here, whether it may sign is decided elsewhere."""

    def verify(self, certificate: x509.Certificate) -> None:
        del certificate


class SigstoreIdentities:
    """Verifies by one root of trust."""

    def __init__(self, trusted_root: Path) -> None:
        """Raises KeylessUnavailable: the file cannot be read, or is no root of trust."""
        try:
            if trusted_root.stat().st_size > _MOST_ROOT:
                raise KeylessUnavailable(f"{trusted_root} has more than {_MOST_ROOT >> 20} MiB.")
            self._verifier = verify.Verifier(trusted_root=models.TrustedRoot.from_file(str(trusted_root)))
        except OSError as error:
            raise KeylessUnavailable(
                f"The root of trust {trusted_root} cannot be read: {error.strerror}.",
                remedy="Name a trusted_root.json in LADING_TRUSTED_ROOT.",
            ) from error
        except (errors.Error, ValueError, KeyError, TypeError) as error:
            raise KeylessUnavailable(
                f"{trusted_root} is no root of trust: {str(error)[:200]}.",
                remedy="Name sigstore's trusted_root.json in LADING_TRUSTED_ROOT.",
            ) from error

    def verify(self, bundle: Bundle, image: Digest) -> Identity:
        try:
            parsed = models.Bundle.from_json(bundle.raw)
            if bundle.envelope is not None:
                self._verifier.verify_dsse(parsed, _Anybody())
            else:
                content = hashes.Hashed(algorithm=HashAlgorithm.SHA2_256, digest=bytes.fromhex(image.hex))
                self._verifier.verify_artifact(content, parsed, _Anybody())
        except (errors.Error, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise SignatureInvalid(
                f"The signature by an identity does not hold: {str(error)[:200]}.",
                remedy="Check that the root of trust is that of who signed.",
            ) from error
        return _identity(parsed.signing_certificate, _moment(parsed))


def _identity(certificate: x509.Certificate, at: datetime) -> Identity:
    said = {
        extension.oid.dotted_string.removeprefix(_FULCIO): _text(extension.value.value)
        for extension in certificate.extensions
        if isinstance(extension.value, x509.UnrecognizedExtension) and extension.oid.dotted_string.startswith(_FULCIO)
    }
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = [*names.get_values_for_type(x509.UniformResourceIdentifier), *names.get_values_for_type(x509.RFC822Name)]
    if len(found) != 1:
        raise SignatureInvalid(f"The certificate names {len(found)} identities.")
    claims = {name: said[number] for number, name in _CLAIMS.items() if number in said}
    return Identity(str(found[0]), said.get(_ISSUER) or said.get(_OLD_ISSUER, ""), at, claims)


def _text(value: bytes) -> str:
    """An extension as text: the later ones are DER strings (UTF8String, IA5String), the first ones are bare."""
    if len(value) > 1 and value[0] in (0x0C, 0x16):
        # A length from 128 on is told in as many further bytes as the lower bits say (X.690, 8.1.3).
        value = value[2 + (value[1] & 0x7F if value[1] & 0x80 else 0) :]
    text = value.decode("utf-8", "replace")
    return text if _PRINTABLE.fullmatch(text) else ""


def _moment(bundle: models.Bundle) -> datetime:
    """When it was signed: by the log, or else by the first timestamp; both were verified."""
    integrated = bundle.log_entry._inner.integrated_time
    if integrated:
        return datetime.fromtimestamp(int(integrated), UTC)
    data = bundle.verification_material.timestamp_verification_data
    stamps = data.rfc3161_timestamps if data else []
    if not stamps:
        raise SignatureInvalid("No log and no timestamp says when it was signed.")
    return min(stamp.tst_info.gen_time for stamp in stamps)
