"""Whether one thing that was found beside an image holds: its signature, its form, and that it is about this image.

Whoever signed it, it can be valid; whether that counts is decided by policy (docs/policy.md, stage `verify`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from lading.kernel.clock import parse_timestamp, timestamp
from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError
from lading.supply_chain.attest import cosign, dsse
from lading.supply_chain.attest.bundle import Bundle
from lading.supply_chain.attest.discovery import Form, Found, SimpleSigning, Unsigned
from lading.supply_chain.attest.errors import MalformedEnvelope, SignatureInvalid
from lading.supply_chain.attest.identities import IdentityVerifier
from lading.supply_chain.attest.keys import Verifier, verified_by
from lading.supply_chain.attest.statement import APPROVAL, MEDIA_TYPE, SIGNATURE, Statement

What = Literal["signature", "attestation", "claim", "unknown"]
_UNSIGNED: Final = "It is a statement of the builder that nobody signed."
_OLD_KEYLESS: Final = (
    "It is signed by an identity in the older layout, which is not verified here; "
    "`cosign bundle upgrade` makes a bundle of it."
)
ENDED: Final = "It has ended."


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one signature or attestation; it is valid when `problem` is empty.

    Then `key_id` says by which key it is, or `identity` and `issuer` by whom. `at` is the moment it was made, where a
    log or a timestamp proves it, `until` the one an approval ends. `digest` names the manifest it lies in, `statement`
    what was signed. A `claim` is signed by nobody. What is `unknown`, because it does not hold, is of the type that it
    says of itself.
    """

    what: What
    form: Form
    digest: str
    predicate_type: str = ""
    key_id: str = ""
    identity: str = ""
    issuer: str = ""
    at: str = ""
    until: str = ""
    statement: str = ""
    predicate: dict[str, Any] = {}
    claims: dict[str, str] = {}
    problem: str = ""

    @property
    def valid(self) -> bool:
        """Whether it holds."""
        return not self.problem

    @property
    def is_signature(self) -> bool:
        """Whether it is a signature of the image, or looks like one."""
        return self.what == "signature" or (self.what == "unknown" and self.predicate_type == SIGNATURE)

    @property
    def signer(self) -> str:
        """Who signed: the id of a key, or an identity."""
        return self.key_id or self.identity


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks what was found about one image.

    `manifest` reads the image's manifest, for signatures over it as a file.
    """

    image: Digest
    verifiers: Sequence[Verifier]
    identities: IdentityVerifier
    now: datetime
    manifest: Callable[[], bytes]

    def check(self, found: Found) -> Checked:
        """What became of it; never raises for what it holds."""
        made = Checked(what="unknown", form=found.form, digest=found.digest, predicate_type=found.said)
        if found.problem or found.content is None:
            return msgspec.structs.replace(made, problem=found.problem or "It holds nothing.")
        try:
            if isinstance(found.content, Unsigned):
                return self._claim(made, found.content)
            if found.keyless and not isinstance(found.content, Bundle):
                raise SignatureInvalid(_OLD_KEYLESS)
            if isinstance(found.content, SimpleSigning):
                return self._simple(made, found.content)
            if isinstance(found.content, Bundle):
                return self._bundle(made, found.content)
            key = dsse.verify(found.content, self.verifiers)
            return self._stated(msgspec.structs.replace(made, key_id=key.key_id), found.content)
        except (LadingError, ValueError) as error:
            problem = error.what if isinstance(error, LadingError) else f"It cannot be read: {str(error)[:200]}"
            return msgspec.structs.replace(made, problem=problem)

    def _simple(self, made: Checked, content: SimpleSigning) -> Checked:
        key = cosign.verify(content.payload, content.signature, self.image, self.verifiers)
        return msgspec.structs.replace(
            made,
            what="signature",
            predicate_type=SIGNATURE,
            key_id=key.key_id,
            statement=str(Digest.of(content.payload)),
        )

    def _bundle(self, made: Checked, found: Bundle) -> Checked:
        if found.certificate:
            identity = self.identities.verify(found, self.image)
            made = msgspec.structs.replace(
                made,
                identity=identity.subject,
                issuer=identity.issuer,
                at=timestamp(identity.at),
                claims=dict(identity.claims),
            )
        else:
            made = msgspec.structs.replace(made, key_id=self._key_of(found).key_id)
        if found.envelope is None:
            return msgspec.structs.replace(made, what="signature", predicate_type=SIGNATURE, statement=str(self.image))
        return self._stated(made, found.envelope)

    def _key_of(self, found: Bundle) -> Verifier:
        if found.envelope is not None:
            return dsse.verify(found.envelope, self.verifiers)
        return verified_by(self.manifest(), [found.signature], self.verifiers)

    def _stated(self, made: Checked, envelope: dsse.Envelope) -> Checked:
        """What a verified envelope states, when that is a statement about the image."""
        if envelope.payload_type != MEDIA_TYPE:
            raise MalformedEnvelope(f"The envelope holds {envelope.payload_type[:100]}, not a statement.")
        statement = Statement.decode(envelope.payload)
        made = _told(made, statement, Digest.of(envelope.payload))
        if not statement.is_about(self.image):
            return msgspec.structs.replace(made, problem="The statement is about another image.")
        if made.until and parse_timestamp(made.until) <= self.now:
            return msgspec.structs.replace(made, problem=ENDED)
        return made

    def _claim(self, made: Checked, content: Unsigned) -> Checked:
        made = _told(made, content.statement, Digest.of(content.statement.encode()))
        about = f" It is about {content.image[:140]}." if content.image else ""
        return msgspec.structs.replace(made, what="claim", problem=_UNSIGNED + about)


def _told(made: Checked, statement: Statement, digest: Digest) -> Checked:
    until = statement.predicate.get("until", "")
    return msgspec.structs.replace(
        made,
        what="signature" if statement.predicate_type == SIGNATURE else "attestation",
        predicate_type=statement.predicate_type,
        statement=str(digest),
        predicate=statement.predicate,
        until=until if statement.predicate_type == APPROVAL and isinstance(until, str) else "",
    )


def once(checked: Sequence[Checked]) -> list[Checked]:
    """Without what is there twice: the same statement by the same signer, in the older layout and in a bundle."""
    kept: dict[tuple[str, ...], Checked] = {}
    for number, one in enumerate(sorted(checked, key=lambda one: one.form == "bundle")):
        kept.setdefault(_sameness(one) if one.signer else (str(number),), one)
    return list(kept.values())


def _sameness(one: Checked) -> tuple[str, ...]:
    # The two layouts of an image's signature sign different texts that say the same.
    said = SIGNATURE if one.what == "signature" and one.valid else one.statement
    return one.what, said, one.issuer, one.signer, one.problem
