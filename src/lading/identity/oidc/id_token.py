"""ID tokens (OpenID Connect Core 1.0, "ID Token Validation"): verified, or refused with one of two reasons."""

from __future__ import annotations

import hmac
import math
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from lading.identity.errors import LoginRefused

SKEW_SECONDS: Final = 60
_ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
_MOST_TEXT: Final = 65_536
_MOST_SUBJECT: Final = 255


class Unknown(Exception):
    """The token names a key that is not among those given; there may be newer ones."""


def verified(text: str, keys: KeySet, issuer: str, client: str, nonce: str | None, now: float) -> dict[str, Any]:
    """The claims of an ID token that `issuer` signed for `client`, just now, in answer to our request.

    Args:
        nonce: what we sent along; None where nothing is (device codes).
        now: seconds since 1970; a clock may be a minute off.

    Raises:
        Unknown: its key is not among `keys`.
        LoginRefused: it does not hold, whatever of it.
    """
    claims = _signed(text, keys)
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != issuer or client not in listed:
        raise _refused("it is for somebody else")
    if claims.get("azp", client if len(listed) == 1 else None) != client:
        raise _refused("it was given to somebody else")
    issued, ends, begins = (_moment(claims.get(name, default)) for name, default in _moments(now))
    if not (issued <= now + SKEW_SECONDS and begins <= now + SKEW_SECONDS and now - SKEW_SECONDS < ends):
        raise _refused("its time is not now")
    said = claims.get("nonce")
    if nonce is not None and not (isinstance(said, str) and hmac.compare_digest(said.encode(), nonce.encode())):
        raise _refused("it does not answer this login")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MOST_SUBJECT:
        raise _refused("it names nobody")
    return claims


def _signed(text: str, keys: KeySet) -> dict[str, Any]:
    if len(text) > _MOST_TEXT:
        raise _refused("it is too long")

    def find(token: Any) -> Any:
        identity = token.headers().get("kid")
        found = [key for key in keys.keys if identity is None or key.kid == identity]
        if not found:
            raise Unknown
        if len(found) > 1:
            raise _refused("it does not say which key signed it")
        return found[0]

    try:
        claims = jwt.decode(text, find, algorithms=_ALGORITHMS).claims
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _refused("its signature does not hold") from error
    if not isinstance(claims, dict):
        raise _refused("it says nothing")
    return claims


def _moments(now: float) -> tuple[tuple[str, Any], ...]:
    return ("iat", None), ("exp", None), ("nbf", now)


def _moment(said: Any) -> float:
    """Seconds since 1970; what is no number is a moment that never holds."""
    return float(said) if type(said) in (int, float) and abs(said) < 1e15 else math.nan


def _refused(why: str) -> LoginRefused:
    return LoginRefused(f"The ID token of the identity provider does not hold: {why}.", remedy="Log in once more.")
