"""Signatures in the older layout of cosign: a simple-signing payload in a manifest tagged `sha256-HEX.sig`.

Every cosign and most admission controllers verify it with a public key alone: `cosign verify --key signing-key.pub
--insecure-ignore-tlog=true IMAGE` (a private registry has no public log). Attestations of that layout are DSSE
envelopes in a manifest tagged `sha256-HEX.att`. Specification: cosign, specs/SIGNATURE_SPEC.md.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from lading.kernel.canonical import canonical_json
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.supply_chain.attest.artifacts import MANIFEST, annotations_of, descriptor, layers_of
from lading.supply_chain.attest.errors import MalformedEnvelope, SignatureInvalid
from lading.supply_chain.attest.keys import Signer, Verifier, verified_by

PAYLOAD_TYPE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"
ANNOTATION: Final = "dev.cosignproject.cosign/signature"
PREDICATE: Final = "predicateType"
CREATOR: Final = "creator"
OURS: Final = "Lading"
CERTIFICATE: Final = "dev.sigstore.cosign/certificate"
ARTIFACT_PREFIX: Final = "application/vnd.dev.cosign.artifact."
MOST_PAYLOAD: Final = 64 * 1024
_CRITICAL: Final = "cosign container image signature"


def signature_tag(image: Digest) -> str:
    """The tag beside the image that its signatures are under."""
    return f"{image.algorithm}-{image.hex}.sig"


def attestation_tag(image: Digest) -> str:
    """The tag beside the image that attestations of the older layout are under."""
    return f"{image.algorithm}-{image.hex}.att"


def about_statement(predicate_type: str) -> dict[str, str]:
    """What cosign writes beside an envelope, no signature as it is inside, and the type; and that it is from here."""
    return {ANNOTATION: "", PREDICATE: predicate_type, CREATOR: OURS}


def payload(image: Digest, reference: str) -> bytes:
    """What is signed: that this digest is meant, under this name."""
    identity = {"docker-reference": reference}
    critical = {"identity": identity, "image": {"docker-manifest-digest": str(image)}, "type": _CRITICAL}
    return canonical_json({"critical": critical, "optional": {CREATOR: OURS}})


def signed_layer(content: bytes, signer: Signer) -> dict[str, Any]:
    """The layer of the signature manifest that holds a payload and, in its annotation, the signature over it."""
    signature = base64.b64encode(signer.sign(content)).decode()
    return descriptor(PAYLOAD_TYPE, content, {ANNOTATION: signature})


def manifest(layers: list[dict[str, Any]]) -> tuple[bytes, bytes]:
    """The signature manifest with these layers, and the config blob it names."""
    config = canonical_json(
        {
            "architecture": "",
            "os": "",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
        }
    )
    body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG_TYPE, config), "layers": layers}
    return canonical_json(body), config


def signature_layers(found: dict[str, Any]) -> list[tuple[dict[str, Any], Digest, bytes]]:
    """The layers of a signature manifest that are signatures, with payload digest and signature; no others."""
    kept = []
    for layer in layers_of(found):
        try:
            if layer.get("mediaType") == PAYLOAD_TYPE:
                kept.append((layer, Digest.parse(str(layer.get("digest"))), signature_of(layer)))
        except InvalidInput:
            continue
    return kept


def signature_of(layer: dict[str, Any]) -> bytes:
    """The signature that the annotation of a layer holds; raises MalformedEnvelope."""
    try:
        return base64.b64decode(annotations_of(layer)[ANNOTATION], validate=True)
    except (KeyError, binascii.Error, ValueError) as error:
        raise MalformedEnvelope("The layer has no annotation that is a signature.") from error


def verify(content: bytes, signature: bytes, image: Digest, verifiers: Iterable[Verifier]) -> Verifier:
    """The key whose signature over the payload holds, when the payload is about `image`.

    Raises:
        SignatureInvalid: no key, or another image.
        MalformedEnvelope: the payload is not one.
    """
    key = verified_by(content, [signature], verifiers)
    try:
        critical = msgspec.json.decode(content, type=dict[str, Any])["critical"]
        about, kind = critical["image"]["docker-manifest-digest"], critical["type"]
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise MalformedEnvelope("The signed payload is not a simple-signing one.") from error
    if about != str(image) or kind != _CRITICAL:
        raise SignatureInvalid(
            f"The signature is about {str(about)[:100]}, not about {image}.", remedy="It was copied from another image."
        )
    return key
