"""A sigstore instance in memory: an authority, a log of certificates and a log of signatures, each with a key of its own.

Made after the documents of RFC 6962 (logs of certificates), of sigstore's bundles and of Rekor's entries; nothing of it
is a secret that matters.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lading.supply_chain.attest.dsse import pae

_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_FULCIO = "1.3.6.1.4.1.57264.1."
_DER, _SPKI = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(_DER, _SPKI)


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def der_text(text: str) -> bytes:
    content = text.encode()
    length = bytes([len(content)]) if len(content) < 128 else b"\x81" + bytes([len(content)])
    return b"\x0c" + length + content


class SigstoreInstance:
    """Gives certificates and records signatures."""

    def __init__(self, now: datetime) -> None:
        self.now = now.replace(microsecond=0)
        self.authority, self.certificate_log, self.log = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, "authority"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "test"),
            ]
        )
        self._name = name
        identifier = x509.SubjectKeyIdentifier.from_public_key(self.authority.public_key())
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "encipher_only", "decipher_only"), False,
        )  # fmt: skip
        self.root = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.authority.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - timedelta(days=365))
            .not_valid_after(self.now + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
            .add_extension(identifier, critical=False)
            .sign(self.authority, hashes.SHA256())
        )

    def trusted_root(self, path: Path) -> Path:
        """The file by which this instance is trusted."""
        since = {"start": (self.now - timedelta(days=365)).strftime("%Y-%m-%dT%H:%M:%SZ")}

        def log(key: ec.EllipticCurvePrivateKey, url: str) -> dict[str, Any]:
            public = {"rawBytes": b64(spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": since}
            identity = {"keyId": b64(hashlib.sha256(spki(key)).digest())}
            return {"baseUrl": url, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": identity}

        authority = {
            "subject": {"organization": "test", "commonName": "authority"},
            "uri": "https://authority.test",
            "certChain": {"certificates": [{"rawBytes": b64(self.root.public_bytes(_DER))}]},
            "validFor": since,
        }
        document = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.log, "https://log.test")],
            "certificateAuthorities": [authority],
            "ctlogs": [log(self.certificate_log, "https://certificates.test")],
        }
        path.write_text(json.dumps(document))
        return path

    def certificate(
        self, key: ec.EllipticCurvePrivateKey, identity: str, issuer: str, **claims: str
    ) -> x509.Certificate:
        """A certificate of ten minutes for an identity, recorded; `claims` by the number of their extension, `_12`."""
        authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key())
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
             "encipher_only", "decipher_only"), False,
        )  # fmt: skip
        named = x509.RFC822Name(identity) if "@" in identity else x509.UniformResourceIdentifier(identity)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - timedelta(minutes=1))
            .not_valid_after(self.now + timedelta(minutes=9))
            .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(authority_id, critical=False)
            .add_extension(x509.SubjectAlternativeName([named]), critical=True)
        )
        for number, text in {"_8": issuer, **claims}.items():
            oid = x509.ObjectIdentifier(_FULCIO + number.removeprefix("_"))
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, der_text(text)), critical=False)
        recorded = self._recorded(builder.sign(self.authority, hashes.SHA256()).tbs_certificate_bytes)
        return builder.add_extension(x509.UnrecognizedExtension(_SCT_LIST, recorded), critical=False).sign(
            self.authority, hashes.SHA256()
        )

    def _recorded(self, body: bytes) -> bytes:
        """The promise of the log of certificates (RFC 6962, 3.2), as the extension's value (3.3)."""
        moment = int(self.now.timestamp() * 1000)
        issuer = hashlib.sha256(spki(self.authority)).digest()
        entry = issuer + len(body).to_bytes(3, "big") + body
        signed = struct.pack("!BBQH", 0, 0, moment, 1) + entry + struct.pack("!H", 0)
        signature = self.certificate_log.sign(signed, ec.ECDSA(hashes.SHA256()))
        log_id = hashlib.sha256(spki(self.certificate_log)).digest()
        promise = struct.pack("!B", 0) + log_id + struct.pack("!QHBBH", moment, 0, 4, 3, len(signature)) + signature
        content = struct.pack("!HH", len(promise) + 2, len(promise)) + promise
        return b"\x04" + (bytes([len(content)]) if len(content) < 128 else b"\x81" + bytes([len(content)])) + content

    def entry(self, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        """An entry of the log of signatures, the only one in its tree, with promise and proof."""
        body = canonical({"apiVersion": "0.0.1", "kind": kind, "spec": spec})
        log_id, moment = hashlib.sha256(spki(self.log)).digest(), int(self.now.timestamp())
        told = {"body": b64(body), "integratedTime": moment, "logIndex": 0, "logID": log_id.hex()}
        promise = self.log.sign(canonical(told), ec.ECDSA(hashes.SHA256()))
        root = hashlib.sha256(b"\0" + body).digest()
        note = f"log.test - 1\n1\n{b64(root)}\n"
        signed = log_id[:4] + self.log.sign(note.encode(), ec.ECDSA(hashes.SHA256()))
        proof = {
            "logIndex": "0", "rootHash": b64(root), "treeSize": "1", "hashes": [],
            "checkpoint": {"envelope": f"{note}\n\u2014 log.test {b64(signed)}\n"},
        }  # fmt: skip
        return {
            "logIndex": "0", "logId": {"keyId": b64(log_id)}, "kindVersion": {"kind": kind, "version": "0.0.1"},
            "integratedTime": str(moment), "inclusionPromise": {"signedEntryTimestamp": b64(promise)},
            "inclusionProof": proof, "canonicalizedBody": b64(body),
        }  # fmt: skip

    def _bundle(self, certificate: x509.Certificate, entry: dict[str, Any], **content: Any) -> bytes:
        material = {"certificate": {"rawBytes": b64(certificate.public_bytes(_DER))}, "tlogEntries": [entry]}
        media_type = "application/vnd.dev.sigstore.bundle.v0.3+json"
        return json.dumps({"mediaType": media_type, "verificationMaterial": material, **content}).encode()

    def state(
        self, body: bytes, identity: str, issuer: str, payload_type: str = "application/vnd.in-toto+json", **claims: str
    ) -> bytes:
        """A bundle with a statement that an identity signed."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.certificate(key, identity, issuer, **claims)
        signature = key.sign(pae(payload_type, body), ec.ECDSA(hashes.SHA256()))
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        envelope = {"payloadType": payload_type, "payload": b64(body), "signatures": [{"sig": b64(signature)}]}
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(canonical(envelope)).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(body).hexdigest()},
            "signatures": [{"signature": b64(signature), "verifier": b64(pem)}],
        }
        return self._bundle(certificate, self.entry("dsse", spec), dsseEnvelope=envelope)

    def sign(self, content: bytes, identity: str, issuer: str) -> bytes:
        """A bundle with a signature over content that lies elsewhere."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.certificate(key, identity, issuer)
        digest = hashlib.sha256(content).digest()
        signature = key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        spec = {
            "data": {"hash": {"algorithm": "sha256", "value": digest.hex()}},
            "signature": {"content": b64(signature), "publicKey": {"content": b64(pem)}},
        }
        message = {"messageDigest": {"algorithm": "SHA2_256", "digest": b64(digest)}, "signature": b64(signature)}
        return self._bundle(certificate, self.entry("hashedrekord", spec), messageSignature=message)
