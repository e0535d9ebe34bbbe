"""Trusting keys and revoking them.

    (unknown) -> counts -> revoked, for ever

A key that is revoked signed nothing, whenever it signed: who has a stolen key can write any time into what it signs.
What Lading itself stated with it stands in its own database by digest, and is signed anew (lifecycle.resign).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from lading.facts import Ledger
from lading.facts.kinds.keys import KeyRevoked, KeyTrusted
from lading.kernel.clock import Clock, SystemClock, timestamp
from lading.kernel.errors import InvalidInput
from lading.state import Database, Transaction
from lading.supply_chain.attest.errors import KeyInUse, KeyUnknown, KeyUnusable
from lading.supply_chain.attest.keyring.sql import KeyStore, KnownKey
from lading.supply_chain.attest.keys import Signer
from lading.supply_chain.attest.keys_public import PublicKey

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_LEAST_PREFIX: Final = 8
_SYSTEM: Final = "system:lading"


class Keyring:
    """The keys whose signatures count here.

    Args:
        present: the id of the key that Lading signs with now; it cannot be revoked before another one signs.
    """

    def __init__(
        self, database: Database, ledger: Ledger, present: Callable[[], str], clock: Clock | None = None
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._present = present
        self._clock = clock or SystemClock()
        self._store = KeyStore()

    def all(self) -> list[KnownKey]:
        """Every key that was ever known here, in the order in which they came."""
        with self._database.read() as tx:
            return self._store.all(tx)

    def believed(self) -> list[PublicKey]:
        """The keys whose signatures hold."""
        return [PublicKey.from_pem(key.pem) for key in self.all() if key.counts]

    def revoked(self) -> frozenset[str]:
        """The ids of keys whose signatures do not hold any more."""
        return frozenset(key.key_id for key in self.all() if not key.counts)

    def own(self) -> list[PublicKey]:
        """Every key that Lading ever signed with, revoked ones too: they tell the checkpoints of the past.

        None in a database that was not brought to this version yet, such as that of an older backup.
        """
        with self._database.read() as tx:
            known = self._store.all(tx) if self._store.is_there(tx) else []
        return [PublicKey.from_pem(key.pem) for key in known if key.ours]

    def find(self, key: str) -> KnownKey:
        """The key of this name or id, or of the only id that begins so; raises KeyUnknown."""
        known = self.all()
        for one in known:
            if key in (one.name, one.key_id):
                return one
        begun = key.removeprefix("sha256:")
        found = [one for one in known if one.key_id.removeprefix("sha256:").startswith(begun)]
        if len(begun) < _LEAST_PREFIX or len(found) != 1:
            raise KeyUnknown(f"No key {key[:100]!r} is known.", remedy="See `lading key ls`.")
        return found[0]

    def use(self, signer: Signer) -> KnownKey:
        """Know the key that Lading signs with from now on; those of the past stay known.

        Raises:
            KeyUnusable: it was revoked.
        """
        key = PublicKey.from_pem(signer.public_pem())
        with self._database.write() as tx:
            self._one_by_one(tx)
            known = self._known(tx, key.key_id)
            if known is not None and not known.counts:
                raise KeyUnusable(
                    f"The signing key {known.name} was revoked: {known.why}.",
                    remedy="Name another in LADING_SIGNING_KEY; `lading key generate FILE` makes one.",
                )
            if known is not None and known.ours:
                return known
            name = known.name if known else f"lading-{key.key_id[7:19]}"
            return self._trust(tx, key, name, ours=True, actor=_SYSTEM)

    def trust(self, pem: str, *, name: str, actor: str) -> KnownKey:
        """Let signatures by another's key count.

        Raises:
            InvalidInput: that is no public key that is used here, or the name is no name.
            KeyInUse: the key was revoked, or another key has the name.
        """
        try:
            key = PublicKey.from_pem(pem)
        except KeyUnusable as error:
            raise InvalidInput(error.what, remedy=error.remedy) from error
        if _NAME.fullmatch(name) is None:
            raise InvalidInput(f"{name[:100]!r} is no name of a key.", remedy="Use a-z, 0-9 and . _ - within.")
        with self._database.write() as tx:
            self._one_by_one(tx)
            for known in self._store.all(tx):
                if known.key_id == key.key_id and not known.counts:
                    raise KeyInUse(f"The key was revoked as {known.name}: {known.why}.", remedy="Use a new key.")
                if known.key_id == key.key_id:
                    return known
                if known.name == name:
                    raise KeyInUse(f"Another key is called {name}.", remedy="Choose another name.")
            return self._trust(tx, key, name, ours=False, actor=actor)

    def revoke(self, key: str, *, why: str, actor: str) -> KnownKey:
        """Let no signature by a key count any more, whenever it was made; revoking it again changes nothing.

        Raises:
            KeyUnknown: there is no such key.
            InvalidInput: no reason is given.
            KeyInUse: Lading signs with it now.
        """
        if not why.strip():
            raise InvalidInput("No reason is given.", remedy="Say with --why what happened to the key.")
        found = self.find(key)
        if found.key_id == self._present():
            raise KeyInUse(
                f"Lading signs with {found.name} now.",
                remedy="Make another with `lading key generate FILE`, name it in LADING_SIGNING_KEY, start again, "
                "and revoke this one then.",
            )
        with self._database.write() as tx:
            self._one_by_one(tx)
            known = self._known(tx, found.key_id) or found
            if not known.counts:
                return known
            revoked = msgspec.structs.replace(known, revoked=timestamp(self._clock.now()), why=why.strip()[:500])
            self._store.put(tx, revoked)
            fact = KeyRevoked(key_id=known.key_id, name=known.name, why=revoked.why)
            self._ledger.append(tx, [fact], actor=actor)
            return revoked

    def _one_by_one(self, tx: Transaction) -> None:
        """Two hosts that start at once, or two people, change the keys one after the other."""
        self._ledger.head(tx, for_update=True)

    def _known(self, tx: Transaction, key_id: str) -> KnownKey | None:
        return next((key for key in self._store.all(tx) if key.key_id == key_id), None)

    def _trust(self, tx: Transaction, key: PublicKey, name: str, *, ours: bool, actor: str) -> KnownKey:
        made = KnownKey(
            key_id=key.key_id,
            name=name,
            algorithm=str(key.algorithm),
            pem=key.public_pem(),
            ours=ours,
            since=timestamp(self._clock.now()),
            who=actor,
        )
        self._store.put(tx, made)
        fact = KeyTrusted(key_id=key.key_id, name=name, algorithm=made.algorithm, pem=made.pem, ours=ours)
        self._ledger.append(tx, [fact], actor=actor)
        return made
