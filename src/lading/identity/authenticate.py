"""Proving who asks: the path every request takes, so it is short and mostly in memory.

A verified token is believed for one second without asking the database. Revoking it therefore shows within a second in
every process, and at once in the one that revoked it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from lading.facts import Ledger
from lading.identity.attempts import Attempts
from lading.identity.errors import InvalidName, WrongCredentials
from lading.identity.passwords import Passwords
from lading.identity.principal import Principal, person_name
from lading.identity.sql import IdentityStore, TokenRow
from lading.identity.token import is_token, token_hash
from lading.kernel.clock import Clock, timestamp
from lading.kernel.errors import Unavailable
from lading.state import Database, Transaction

BELIEVED_SECONDS: Final = 1.0
_MOST_BELIEVED: Final = 10_000
_BY_PASSWORD: Final = "password-"  # noqa: S105 - how a proof begins that is no token
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Believed:
    principal: Principal
    until: float


class Authenticator:
    """Turns tokens and passwords into principals."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock, passwords: Passwords) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._passwords = passwords
        self._store = IdentityStore()
        self._attempts = Attempts(clock)
        self._lock = threading.Lock()
        self._believed: OrderedDict[bytes | tuple[str, str], _Believed] = OrderedDict()

    def token(self, text: str) -> Principal:
        """The principal of a token; raises WrongCredentials, in the same words whatever is wrong with it."""
        if not is_token(text):
            raise _wrong_token()
        digest = token_hash(text)
        believed = self._believed.get(digest)
        if believed is not None and self._clock.monotonic() < believed.until:
            return believed.principal
        asked = self._clock.monotonic()
        principal, row = self._verified(digest)
        self._note_use(row)
        self._believe(digest, principal, asked)
        return principal

    def holder(self, name: str, proof: str) -> Principal:
        """The principal who proved itself with `proof` (`Principal.token_id`) before; raises WrongCredentials.

        Raised as well when the token was revoked, the password changed, or the principal was disabled since.
        """
        believed = self._believed.get((name, proof))
        if believed is not None and self._clock.monotonic() < believed.until:
            return believed.principal
        asked = self._clock.monotonic()
        principal = self._still(name, proof)
        self._believe((name, proof), principal, asked)
        return principal

    def password(self, name: str, password: str, address: str) -> Principal:
        """The person with this name and password.

        Args:
            address: where the request comes from, to count failures by.

        Raises:
            WrongCredentials: for an unknown name as for a wrong password, after the same time.
            TooManyAttempts: before anything is checked.
        """
        try:
            full = person_name(name.removeprefix("person:"))
        except InvalidName:
            full = "person:?"
        self._attempts.begin(full, address)
        with self._database.read() as tx:
            kept = self._store.password_of(tx, full)
        if not self._passwords.matches(kept, password):
            raise WrongCredentials("The name or the password is wrong.", remedy="Check both; or use a token.")
        self._attempts.succeeded(full, address)
        with self._database.read() as tx:
            row = self._store.principals(tx, timestamp(self.now(tx)), [full])[0]
        return Principal(row.name, row.kind, row.grants, password_proof(row.password), purpose="password")

    def forget(self) -> None:
        """Believe nobody without asking: roles or tokens changed."""
        with self._lock:
            self._believed.clear()

    def now(self, tx: Transaction) -> datetime:
        """The moment tokens are held against: never before the head of the ledger, so none comes back to life."""
        return max(self._clock.now(), _EPOCH + timedelta(microseconds=self._ledger.head(tx).at))

    def _believe(self, key: bytes | tuple[str, str], principal: Principal, asked: float) -> None:
        with self._lock:
            self._believed[key] = _Believed(principal, asked + BELIEVED_SECONDS)
            while len(self._believed) > _MOST_BELIEVED:
                self._believed.popitem(last=False)

    def _verified(self, digest: bytes) -> tuple[Principal, TokenRow]:
        with self._database.read() as tx:
            row = self._store.token_by_hash(tx, digest)
            if row is None or not hmac.compare_digest(row.hash, digest):
                raise _wrong_token()
            return self._bearer(tx, row), row

    def _bearer(self, tx: Transaction, row: TokenRow) -> Principal:
        """Whose token it is; raises WrongCredentials for one that counts no longer."""
        now = timestamp(self.now(tx))
        owner = self._store.principals(tx, now, [row.principal])[0]
        if row.revoked_at or (row.expires_at and row.expires_at <= now) or owner.disabled:
            raise _wrong_token()
        return Principal(owner.name, owner.kind, owner.grants, row.id, row.purpose, row.only)

    def _still(self, name: str, proof: str) -> Principal:
        with self._database.read() as tx:
            if proof.startswith(_BY_PASSWORD):
                row = next(iter(self._store.principals(tx, timestamp(self.now(tx)), [name])), None)
                if row is None or row.disabled or not hmac.compare_digest(password_proof(row.password), proof):
                    raise _wrong_token()
                return Principal(row.name, row.kind, row.grants, proof, purpose="password")
            token = self._store.token(tx, proof)
            if token is None or token.principal != name:
                raise _wrong_token()
            return self._bearer(tx, token)

    def _note_use(self, row: TokenRow) -> None:
        hour = timestamp(self._clock.now().replace(minute=0, second=0, microsecond=0))
        if row.used_at >= hour or self._database.read_only:
            return
        try:
            with self._database.write() as tx:
                self._store.used(tx, row.id, hour)
        except Unavailable as error:
            # When a token was last used is a help, not a proof; a full disk must not keep the admin out.
            _log.warning("the use of a token could not be noted", extra={"token": row.id, "error": error.what})


def password_proof(kept: str | None) -> str:
    """A name for the password that somebody has now, which says nothing about it; another after every change."""
    return f"{_BY_PASSWORD}{hashlib.sha256((kept or '').encode()).hexdigest()[:16]}"


def _wrong_token() -> WrongCredentials:
    return WrongCredentials(
        "The token is not valid.",
        remedy="It may be mistyped, expired or revoked; ask an admin of the team for another.",
    )
