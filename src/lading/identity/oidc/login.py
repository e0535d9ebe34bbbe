"""Logging people in through the identity provider: two ways in, one way to become somebody here.

What must be remembered between the beginning and the end of a login is sealed and handed to whoever logs in: any host
can finish what another began, and nothing is kept for those who never come back.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import msgspec

from lading.identity.errors import LoginRefused
from lading.identity.oidc.provider import OidcProvider, Somebody
from lading.identity.oidc.terms import Terms
from lading.identity.service import SESSION, Identity, IssuedToken
from lading.kernel.clock import Clock, SystemClock
from lading.state.sealing import Sealer, SealingError

LOGIN_SECONDS: Final = 600
_BROWSER, _DEVICE = "oidc-login", "oidc-device"
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9._-]+")
_ENTROPY: Final = 32


class _Pending(msgspec.Struct, frozen=True):
    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    to: str
    until: float


class _PendingDevice(msgspec.Struct, frozen=True):
    device_code: str
    until: float


P = TypeVar("P", _Pending, _PendingDevice)


@dataclass(frozen=True, slots=True)
class Begun:
    """A login that began: where the browser goes, and what it keeps until it comes back."""

    url: str
    kept: str


@dataclass(frozen=True, slots=True)
class BegunDevice:
    """A login on a device without a browser: what to type in where, and what to ask with."""

    user_code: str
    address: str
    whole_address: str
    lasting: int
    interval: int
    kept: str


class OidcLogins:
    """Logins through one provider. Every method may raise ProviderFailed."""

    def __init__(
        self, identity: Identity, provider: OidcProvider, terms: Terms, sealer: Sealer, clock: Clock | None = None
    ) -> None:
        self._identity = identity
        self._provider = provider
        self._terms = terms
        self._sealer = sealer
        self._clock = clock or SystemClock()

    def begin(self, redirect_uri: str, to: str) -> Begun:
        """Begin a login of the console; `to` is where it goes on afterwards."""
        state, nonce, verifier = (secrets.token_urlsafe(_ENTROPY) for _ in range(3))
        url = self._provider.authorization_url(redirect_uri, state, nonce, verifier)
        pending = _Pending(state, nonce, verifier, redirect_uri, to, self._until(LOGIN_SECONDS))
        return Begun(url, self._sealer.seal(msgspec.json.encode(pending).decode(), _BROWSER))

    def finish(self, kept: str, state: str, code: str, issuer: str = "") -> tuple[IssuedToken, str]:
        """The session of whoever came back, and where to go on.

        Args:
            issuer: who the answer says it is from (RFC 9207), where it does.

        Raises:
            LoginRefused: it is the answer to another login or from another provider, too late, or proves nobody.
            AccessDenied, Conflict, InvalidName: who logged in has no place here.
        """
        pending = self._opened(kept, _BROWSER, _Pending)
        if not hmac.compare_digest(pending.state.encode(), state.encode()) or issuer not in ("", self._terms.issuer):
            raise LoginRefused("This is the answer to another login.", remedy="Log in once more.")
        found = self._provider.exchange(code, pending.redirect_uri, pending.nonce, pending.verifier)
        return self._admitted(found, "session", SESSION), pending.to

    def begin_device(self) -> BegunDevice:
        """Begin a login of the command line."""
        found = self._provider.start_device()
        pending = _PendingDevice(found.device_code, self._until(found.lasting))
        kept = self._sealer.seal(msgspec.json.encode(pending).decode(), _DEVICE)
        return BegunDevice(
            found.user_code, found.address, found.whole_address, found.lasting, found.interval, kept
        )  # fmt: skip

    def finish_device(self, kept: str) -> IssuedToken | None:
        """The token of whoever typed the code in; None while nobody did. Raises as `finish`."""
        pending = self._opened(kept, _DEVICE, _PendingDevice)
        found = self._provider.poll_device(pending.device_code)
        return None if found is None else self._admitted(found, "command line", self._terms.lasting)

    def _admitted(self, found: Somebody, purpose: str, lasting: timedelta) -> IssuedToken:
        return self._identity.admit_external(
            self._terms.issuer,
            found.subject,
            _name(found.name),
            self._terms.grants(found.groups),
            counting=self._terms.lasting,
            purpose=purpose,
            lasting=lasting,
        )

    def _until(self, seconds: int) -> float:
        return self._clock.now().timestamp() + seconds

    def _opened(self, kept: str, purpose: str, kind: type[P]) -> P:
        try:
            pending = msgspec.json.decode(self._sealer.unseal(kept, purpose), type=kind)
        except (SealingError, msgspec.MsgspecError) as error:
            raise LoginRefused("No login was begun here.", remedy="Begin once more.") from error
        if self._clock.now().timestamp() > pending.until:
            raise LoginRefused("The login took too long.", remedy="Begin once more.")
        return pending


def _name(said: str) -> str:
    """A name as people have here: lower case, of an address what stands before the @."""
    return _NOT_IN_NAMES.sub("-", said.partition("@")[0].lower()).strip("._-")[:64]
