"""Tokens of the token flow (distribution, "Token Authentication" and "Token Authentication Implementation").

    visitor + what was asked -> what of it they may -> signed, good for five minutes -> read by either endpoint

A token is a JWS (RFC 7515, ES256 and nothing else) that says who asked, what proved it, and for which repositories it
was given. It proves no more than that: what its holder may do is decided anew for each request, from the roles that
count then, so that a robot whose token was revoked, or a role that was withdrawn, ends what was issued before.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from lading.kernel.clock import Clock, SystemClock
from lading.kernel.ids import new_id
from lading.kernel.reference import is_repository_name
from lading.supply_chain.registry.access import Access, Scopes, Visitor
from lading.supply_chain.registry.errors import TokenRequestInvalid
from lading.supply_chain.registry.token_keys import TokenKeys

LIFETIME_SECONDS: Final = 300
SKEW_SECONDS: Final = 10
MOST_TEXT: Final = 14_336
_ISSUER: Final = "lading"
_ALGORITHM: Final = "ES256"
_TYPE: Final = "JWT"
_MOST_KNOWN: Final = 10_000
_MOST_NAME: Final = 512
_CATALOGUE: Final = ("registry", "catalog", "*")


@dataclass(frozen=True, slots=True)
class Issued:
    """A token as it is handed out; moments in seconds since 1970."""

    text: str
    issued_at: int
    until: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, once its signature held."""

    principal: str
    proof: str
    scopes: Scopes
    until: float


class AccessTokens:
    """Issues and reads tokens of one service, which all of its endpoints on all hosts are. For any thread.

    Args:
        service: the name that clients ask for tokens of (`aud`).
    """

    def __init__(self, keys: TokenKeys, service: str, clock: Clock | None = None) -> None:
        self.service = service
        self._keys = keys
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, Claims] = OrderedDict()

    def ready(self) -> None:
        """See that there is a key to sign with; raises TokenKeysUnusable."""
        self._keys.signing()

    def issue(self, visitor: Visitor, scopes: Scopes) -> Issued:
        """A token of five minutes for a visitor who proved who they are; `scopes` are what was granted.

        Raises:
            TokenKeysUnusable: there is no key to sign with.
            TokenRequestInvalid: it would be longer than is read.
        """
        now = int(self._clock.now().timestamp())
        signing = self._keys.signing()
        claims = {
            "iss": _ISSUER,
            "sub": visitor.principal,
            "aud": self.service,
            "exp": now + LIFETIME_SECONDS,
            "nbf": now,
            "iat": now,
            "jti": new_id(),
            "proof": visitor.token,
            "access": _access(scopes),
        }
        header = {"alg": _ALGORITHM, "kid": signing.id, "typ": _TYPE}
        text = jwt.encode(header, claims, signing.key, algorithms=[_ALGORITHM])
        if len(text) > MOST_TEXT:
            raise TokenRequestInvalid("A token for so much would be too long.", remedy="Ask for fewer repositories.")
        return Issued(text, now, now + LIFETIME_SECONDS)

    def read(self, text: str) -> Claims | None:
        """What a token says; None unless we signed it, for this service, and its time is now."""
        if len(text) > MOST_TEXT or not text.isascii() or text.count(".") != 2:
            return None
        digest = hashlib.sha256(text.encode()).digest()
        known = self._known.get(digest)
        if known is None:
            known = self._verified(text)
            if known is None:
                return None
            with self._lock:
                self._known[digest] = known
                while len(self._known) > _MOST_KNOWN:
                    self._known.popitem(last=False)
        return known if self._clock.now().timestamp() < known.until else None

    def _verified(self, text: str) -> Claims | None:
        try:
            token = jwt.decode(text, self._key, algorithms=[_ALGORITHM])
        # A stranger's header or payload can be any JSON: whatever the library makes of it, it is no token of ours.
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        return _claims(token.claims, self.service, self._clock.now().timestamp())

    def _key(self, token: Any) -> ECKey:
        identity = token.headers().get("kid")
        found = self._keys.named(identity) if isinstance(identity, str) else None
        if found is None:
            raise ValueError("no such key")
        return found.key


def _access(scopes: Scopes) -> list[dict[str, Any]]:
    """The `access` claim: sets of resources with the actions that were granted."""
    found: list[dict[str, Any]] = [
        {"type": "repository", "name": name, "actions": sorted(actions)}
        for name, actions in sorted(scopes.repositories.items())
    ]
    if scopes.catalogue:
        kind, name, action = _CATALOGUE
        found.append({"type": kind, "name": name, "actions": [action]})
    return found


def _claims(said: Any, service: str, now: float) -> Claims | None:
    """The claims of a payload whose signature held; None for one that is not for us, or not now."""
    if not isinstance(said, dict) or said.get("iss") != _ISSUER or said.get("aud") != service:
        return None
    issued, begins, ends = (_moment(said.get(name)) for name in ("iat", "nbf", "exp"))
    latest = now + SKEW_SECONDS
    if not (issued <= latest and begins <= latest and now < ends <= issued + LIFETIME_SECONDS):
        return None
    principal, proof, access = said.get("sub"), said.get("proof"), said.get("access")
    if not isinstance(principal, str) or not isinstance(proof, str) or not isinstance(access, list):
        return None
    if not principal or len(principal) > _MOST_NAME or len(proof) > _MOST_NAME:
        return None
    return Claims(principal, proof, _scopes(access), ends)


def _moment(said: Any) -> float:
    """Seconds since 1970; what is no whole number is a moment that never holds."""
    return said if type(said) is int else math.nan


def _scopes(access: Iterable[Any]) -> Scopes:
    """What an `access` claim allows; what is not understood allows nothing."""
    repositories: dict[str, frozenset[Access]] = {}
    catalogue = False
    for one in access:
        if not isinstance(one, dict) or not isinstance(one.get("actions"), list):
            continue
        kind, name, actions = one.get("type"), one.get("name"), one["actions"]
        if kind == "repository" and isinstance(name, str) and is_repository_name(name):
            repositories[name] = frozenset(access for access in Access if access in actions)
        elif (kind, name) == _CATALOGUE[:2] and _CATALOGUE[2] in actions:
            catalogue = True
    return Scopes(repositories, catalogue)
