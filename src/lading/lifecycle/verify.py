"""Verifying the signatures of an image in any registry, without a server: by keys and identities that are given.

The same verification and the same rules as a server's. What nobody named counts for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import msgspec

from lading.kernel.clock import Clock
from lading.kernel.digest import Digest
from lading.kernel.errors import InvalidInput
from lading.kernel.subject import Subject
from lading.lifecycle.permit import signature_document
from lading.policy.document import canonical_document
from lading.policy.evaluate import evaluate
from lading.policy.pack import Pack
from lading.supply_chain.attest.artifacts import ArtifactReader
from lading.supply_chain.attest.checking import Checked
from lading.supply_chain.attest.identities import IdentityVerifier
from lading.supply_chain.attest.keys_public import PublicKey
from lading.supply_chain.attest.signatures import Signatures
from lading.supply_chain.attest.statement import SIGNATURE


class Named(msgspec.Struct, frozen=True):
    """Identities that count: `*` in either is any text."""

    identity: str
    issuer: str

    def fits(self, one: Checked) -> bool:
        """Whether it is about who signed."""
        return fnmatchcase(one.identity, self.identity) and fnmatchcase(one.issuer, self.issuer)


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Whom to believe: keys by name, identities, and rules of stage `verify` that say who may sign what."""

    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    identities: IdentityVerifier | None = None
    named: Sequence[Named] = ()
    rules: Pack | None = None


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found beside an image; `passed` when something of the type that was asked for counts."""

    image: str
    found: tuple[Checked, ...]
    passed: bool


class Verifications:
    """Verifies images in a registry.

    Args:
        trust: whom to believe.

    Raises:
        InvalidInput: nobody is to be believed, or the rules say nothing about signatures.
    """

    def __init__(self, reader: ArtifactReader, trust: Trust, clock: Clock) -> None:
        if not trust.keys and trust.identities is None:
            raise InvalidInput("Nobody is to be believed.", remedy="Give --key, or --trusted-root with --identity.")
        if trust.rules is not None and not trust.rules.of_stage("verify"):
            raise InvalidInput(
                "None of these rules speaks about the stage verify, so they would let everybody sign.",
                remedy="Write `stages: [verify]` into those that judge signatures.",
            )
        self._trust = trust
        self._clock = clock
        self._names = {key.key_id: name for name, key in trust.keys.items()}
        self._signatures = Signatures(reader, lambda: list(trust.keys.values()), trust.identities)

    def of(self, image: Digest, repository: str, *, predicate_type: str = SIGNATURE) -> Verified:
        """Everything beside an image; it passes when something of a type holds and whoever signed it may.

        Raises:
            LadingError: the registry cannot be read.
        """
        checked = self._signatures.of(image, repository, self._clock.now())
        found = tuple(self._judged(one, image, repository) for one in checked)
        passed = any(one.valid and one.predicate_type == predicate_type for one in found)
        return Verified(image=str(image), found=found, passed=passed)

    def _judged(self, one: Checked, image: Digest, repository: str) -> Checked:
        if not one.valid:
            return one
        named = bool(one.key_id) or not self._trust.named or any(who.fits(one) for who in self._trust.named)
        if one.identity and not (named and (self._trust.named or self._trust.rules)):
            problem = f"It is signed by {one.identity} ({one.issuer}), whom nobody named."
            return msgspec.structs.replace(one, problem=problem)
        if self._trust.rules is None:
            return one
        about = {"digest": str(image), "repository": repository, "tags": [], "team": ""}
        by, now = "key" if one.key_id else "identity", self._clock.now()
        name = self._names.get(one.key_id, "")
        document, _ = canonical_document(signature_document(one, about, now=now, by=by, key_name=name))
        outcome = evaluate(
            self._trust.rules, "verify", document, subject=Subject.image(image), at=now, clock=self._clock
        )
        return msgspec.structs.replace(one, problem="; ".join(violation.message for violation in outcome.violations))
