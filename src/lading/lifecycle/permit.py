"""Who may sign what, by the rules of stage `verify` (docs/policy.md)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from lading.kernel.clock import Clock, timestamp
from lading.kernel.digest import Digest
from lading.kernel.subject import Subject
from lading.policy.decide import Policy
from lading.supply_chain.attest.checking import Checked
from lading.supply_chain.attest.keyring.keyring import Keyring
from lading.supply_chain.attest.keyring.sql import KnownKey
from lading.supply_chain.attest.permits import Problem, unnamed
from lading.supply_chain.registry.reading import Reading


class SignerRules:
    """Asks the rules about each signature that holds.

    A pack without rules for this stage lets believed keys sign everything, and identities nothing. Answers are not kept
    as decisions: they are asked for each time an image is looked at, and the decision about the image tells the result.
    """

    def __init__(self, policy: Policy, keyring: Keyring, registry: Reading, clock: Clock) -> None:
        self._policy = policy
        self._keyring = keyring
        self._registry = registry
        self._clock = clock

    def about(self, image: Digest, repository: str) -> Problem:
        if not self._policy.pack.of_stage("verify"):
            return unnamed
        rows = self._registry.images(digest=image)
        row = next((row for row in rows if row.repository == repository), None)
        about = {
            "digest": str(image),
            "repository": repository,
            "tags": list(row.tags) if row else [],
            "team": row.team if row else "",
        }
        keys = {key.key_id: key for key in self._keyring.all()}
        return partial(self._problem, about, keys)

    def _problem(self, about: dict[str, Any], keys: Mapping[str, KnownKey], one: Checked) -> str:
        key = keys.get(one.key_id)
        document = signature_document(
            one, about, now=self._clock.now(), by=_by(one, key), key_name=key.name if key else ""
        )
        judged = self._policy.judge("verify", Subject.image(Digest.parse(about["digest"])), document)
        return "; ".join(violation.message for violation in judged.outcome.violations)


def signature_document(one: Checked, image: dict[str, Any], *, now: datetime, by: str, key_name: str) -> dict[str, Any]:
    """What rules of stage `verify` see of a signature or statement that holds (docs/policy.md)."""
    return {
        "stage": "verify",
        "now": timestamp(now),
        "image": image,
        "signature": {
            "what": one.what,
            "form": one.form,
            "predicate_type": one.predicate_type,
            "by": by,
            "key_id": one.key_id,
            "key_name": key_name,
            "identity": one.identity,
            "issuer": one.issuer,
            "claims": dict(one.claims),
            "at": one.at,
        },
    }


def _by(one: Checked, key: KnownKey | None) -> str:
    """Who signed: we, a key that somebody trusted, another region, or an identity."""
    if not one.key_id:
        return "identity"
    if key is None:
        return "region"
    return "lading" if key.ours else "key"
