"""in-toto statements: a predicate about a subject named by digest (in-toto attestation framework, Statement v1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lading.kernel.canonical import canonical_json
from lading.kernel.digest import Digest
from lading.supply_chain.attest import strict_json
from lading.supply_chain.attest.errors import MalformedEnvelope

MEDIA_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PROVENANCE: Final = "https://slsa.dev/provenance/v1"
CYCLONEDX: Final = "https://cyclonedx.org/bom"
SCAN: Final = "https://in-toto.io/attestation/vulns/v0.1"
APPROVAL: Final = "urn:lading:approval:v1"
SIGNATURE: Final = "https://sigstore.dev/cosign/sign/v1"
_EARLIER_TYPE: Final = "https://in-toto.io/Statement/v0.1"
_MOST_SUBJECTS: Final = 1_000
# Beyond this a duplicate key is not looked for: it would cost seconds, and whoever can make one has the key.
_MOST_STRICT: Final = 4 << 20


class _Subject(msgspec.Struct):
    digest: dict[str, str]
    name: str = ""


class _Wire(msgspec.Struct):
    type: str = msgspec.field(name="_type")
    subject: list[_Subject]
    predicate_type: str = msgspec.field(name="predicateType")
    predicate: Any = None


@dataclass(frozen=True, slots=True)
class Statement:
    """`predicate` of `predicate_type` about `subjects`, which are pairs of a name and a digest."""

    subjects: tuple[tuple[str, Digest], ...]
    predicate_type: str
    predicate: dict[str, Any]

    def encode(self) -> bytes:
        """The JSON form, canonical."""
        return canonical_json(
            {
                "_type": STATEMENT_TYPE,
                "subject": [{"name": name, "digest": {digest.algorithm: digest.hex}} for name, digest in self.subjects],
                "predicateType": self.predicate_type,
                "predicate": self.predicate,
            }
        )

    @classmethod
    def decode(cls, content: bytes) -> Statement:
        """Read the JSON form, of version 0.1 too; raises MalformedEnvelope.

        Subjects by digests of other kinds are passed over, and so is a predicate that is no object.
        """
        try:
            wire = _wire(content)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise MalformedEnvelope(f"This is not an in-toto statement: {str(error)[:200]}.") from error
        if wire.type not in (STATEMENT_TYPE, _EARLIER_TYPE) or not 1 <= len(wire.subject) <= _MOST_SUBJECTS:
            raise MalformedEnvelope("This is not an in-toto statement with 1 to 1000 subjects.")
        subjects = tuple(
            (subject.name, Digest.parse(f"{algorithm}:{hexadecimal}"))
            for subject in wire.subject
            for algorithm, hexadecimal in subject.digest.items()
            if algorithm in ("sha256", "sha512")
        )
        return cls(subjects, wire.predicate_type, wire.predicate if isinstance(wire.predicate, dict) else {})

    def is_about(self, digest: Digest) -> bool:
        """Whether one of the subjects is `digest`."""
        return any(subject == digest for _, subject in self.subjects)


def _wire(content: bytes) -> _Wire:
    if len(content) <= _MOST_STRICT:
        return msgspec.convert(strict_json.decode(content, "A statement", most=_MOST_STRICT), _Wire)
    return msgspec.json.decode(content, type=_Wire)
