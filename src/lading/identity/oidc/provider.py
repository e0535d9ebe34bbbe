"""The identity provider over HTTP: discovery, keys, codes for tokens, device codes, and who that was.

Discovery 1.0, PKCE (RFC 7636) with S256, device codes (RFC 8628). Requests are put together by Authlib, ID tokens are
verified by joserfc. Answers are bounded, addresses are held to TLS, and a key that is not known is looked for once
more, because providers change theirs.
"""

from __future__ import annotations

import base64
import binascii
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from lading.identity.errors import LoginRefused, ProviderFailed
from lading.identity.oidc.id_token import Unknown, verified
from lading.identity.oidc.terms import Terms, is_safe
from lading.kernel.clock import Clock, SystemClock

_DISCOVERY: Final = "/.well-known/openid-configuration"
_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_PENDING: Final = ("authorization_pending", "slow_down")
_BELIEVED_SECONDS: Final = 3_600.0
_LOOK_AGAIN_SECONDS: Final = 1.0
_MOST_ANSWER: Final = 1 << 20
_MOST_GROUPS: Final = 1_000
_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)


@dataclass(frozen=True, slots=True)
class Somebody:
    """Who logged in, as the provider knows them."""

    subject: str
    name: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A code for somebody to type in at an address, and the one to ask with; times in seconds."""

    device_code: str
    user_code: str
    address: str
    whole_address: str
    lasting: int
    interval: int


class OidcProvider:
    """One provider. May be used from several threads.

    Every method raises ProviderFailed when it does not answer, or not as the specification says.

    Args:
        ca_file: the site's authorities, where the machine's don't do.
        transport: how to reach it, where that is not the network.
    """

    def __init__(
        self,
        terms: Terms,
        *,
        ca_file: Path | None = None,
        clock: Clock | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._terms = terms
        self._clock = clock or SystemClock()
        trust = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        self._http = httpx.Client(timeout=_TIMEOUT, transport=transport, verify=trust, follow_redirects=False)
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}
        self._known_at = 0.0
        self._keys: KeySet | None = None
        self._keys_at = 0.0

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def authorization_url(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser goes to log in."""
        url: str = prepare_grant_uri(
            self._endpoint("authorization_endpoint"),
            self._terms.client_id,
            "code",
            redirect_uri=redirect_uri,
            scope=self._terms.scopes,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return url

    def exchange(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> Somebody:
        """Who logged in, for the code that came back; raises LoginRefused for one that does not hold."""
        status, answer = self._token("authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=verifier)
        if status != httpx.codes.OK:
            raise LoginRefused(
                f"The identity provider does not take the code: {_reason(answer)}.", remedy="Log in once more."
            )
        return self._somebody(answer, nonce)

    def start_device(self) -> DeviceCode:
        """A code for somebody to type in at the provider."""
        body = str(httpx.QueryParams({"client_id": self._terms.client_id, "scope": self._terms.scopes}))
        status, answer = self._as_client("device_authorization_endpoint", body)
        texts = [answer.get(name) for name in ("device_code", "user_code", "verification_uri")]
        if status != httpx.codes.OK or not all(isinstance(text, str) and text for text in texts):
            raise self._failed(f"gives no device code: {_reason(answer)}")
        device, user, address = map(str, texts)
        whole = answer.get("verification_uri_complete")
        return DeviceCode(
            device, user, address, whole if isinstance(whole, str) else "", _seconds(answer, "expires_in", 600),
            _seconds(answer, "interval", 5),
        )  # fmt: skip

    def poll_device(self, device_code: str) -> Somebody | None:
        """Who typed the code in; None while nobody did. Raises LoginRefused when it ended without."""
        status, answer = self._token(_DEVICE_GRANT, device_code=device_code)
        if status == httpx.codes.OK:
            return self._somebody(answer, None)
        if answer.get("error") in _PENDING:
            return None
        raise LoginRefused(f"The login at the identity provider ended: {_reason(answer)}.", remedy="Begin once more.")

    # How it is done

    def _somebody(self, answer: dict[str, Any], nonce: str | None) -> Somebody:
        text = answer.get("id_token")
        if not isinstance(text, str):
            raise self._failed("answers without an ID token")
        claims = self._verified(text, nonce)
        wanted = (self._terms.name_claim, self._terms.groups_claim)
        if any(name not in claims for name in wanted) and self._configuration().get("userinfo_endpoint"):
            claims = self._asked(str(answer.get("access_token", "")), claims["sub"]) | claims
        name, groups = (claims.get(claim) for claim in wanted)
        if not isinstance(name, str) or not name:
            raise LoginRefused(
                f"The identity provider does not say {self._terms.name_claim} of whoever logged in.",
                remedy="Set LADING_OIDC_NAME_CLAIM and LADING_OIDC_SCOPES to what it gives.",
            )
        return Somebody(claims["sub"], name, _groups(groups))

    def _verified(self, text: str, nonce: str | None) -> dict[str, Any]:
        terms, now = self._terms, self._clock.now().timestamp()
        try:
            return verified(text, self._key_set(), terms.issuer, terms.client_id, nonce, now)
        except Unknown:
            keys = self._key_set(anew=True)
        try:
            return verified(text, keys, terms.issuer, terms.client_id, nonce, now)
        except Unknown as error:
            raise LoginRefused("The ID token was signed with a key that the provider does not have.") from error

    def _asked(self, access_token: str, subject: str) -> dict[str, Any]:
        """What the provider says of somebody beyond the ID token (Core, "UserInfo Endpoint")."""
        headers = {"Authorization": f"Bearer {access_token}"}
        status, answer = self._send("GET", self._endpoint("userinfo_endpoint"), headers=headers)
        if status != httpx.codes.OK or answer.get("sub") != subject:
            raise self._failed("says nothing, or of somebody else, when it is asked who logged in")
        return answer

    def _token(self, grant: str, redirect_uri: str | None = None, **fields: str) -> tuple[int, dict[str, Any]]:
        body = prepare_token_request(grant, redirect_uri=redirect_uri, client_id=self._terms.client_id, **fields)
        return self._as_client("token_endpoint", body)

    def _as_client(self, endpoint: str, body: str) -> tuple[int, dict[str, Any]]:
        """Post a form with the proof of who we are that the provider takes."""
        methods = self._configuration().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        auth = ClientAuth(self._terms.client_id, self._terms.secret, method if self._terms.secret else "none")
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        url, headers, body = auth.prepare("POST", self._endpoint(endpoint), headers, body)
        return self._send("POST", url, headers=headers, content=body)

    def _key_set(self, *, anew: bool = False) -> KeySet:
        with self._lock:
            age = self._clock.monotonic() - self._keys_at
            if self._keys is None or age > _BELIEVED_SECONDS or (anew and age > _LOOK_AGAIN_SECONDS):
                _status, answer = self._send("GET", self._endpoint("jwks_uri"))
                try:
                    self._keys = KeySet.import_key_set(_public(answer))
                except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
                    raise self._failed("has no keys that can be read") from error
                self._keys_at = self._clock.monotonic()
            return self._keys

    def _configuration(self) -> dict[str, Any]:
        if not self._known or self._clock.monotonic() - self._known_at > _BELIEVED_SECONDS:
            status, answer = self._send("GET", self._terms.issuer.rstrip("/") + _DISCOVERY)
            if status != httpx.codes.OK or answer.get("issuer") != self._terms.issuer:
                raise self._failed(f"says that it is {str(answer.get('issuer', 'nothing'))[:200]!r}")
            self._known, self._known_at = answer, self._clock.monotonic()
        return self._known

    def _endpoint(self, name: str) -> str:
        url = self._configuration().get(name)
        if not isinstance(url, str) or not is_safe(url, self._terms.issuer):
            raise self._failed(f"has no {name} that may be used")
        return url

    def _send(
        self, method: str, url: str, *, headers: dict[str, str] | None = None, content: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """One request; its status and the JSON object that came, empty for anything else."""
        try:
            with self._http.stream(method, url, headers=headers, content=content) as response:
                body = bytearray()
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > _MOST_ANSWER:
                        raise self._failed("answers without end")
                found = msgspec.json.decode(bytes(body)) if body else {}
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._failed(f"does not answer: {str(error)[:200] or type(error).__name__}") from error
        return response.status_code, found if isinstance(found, dict) else {}

    def _failed(self, what: str) -> ProviderFailed:
        return ProviderFailed(
            f"The identity provider {self._terms.issuer} {what}.",
            remedy="Check LADING_OIDC_ISSUER and the provider; tokens that people have go on working.",
        )


def _public(answer: dict[str, Any]) -> Any:
    """The keys that signatures can be verified with; a set may hold others, and kinds that are not known here."""
    keys = [
        key
        for key in answer["keys"]
        if key.get("kty") in ("RSA", "EC") and key.get("use", "sig") == "sig" and _is_readable(key)
    ]
    return {"keys": keys}


def _is_readable(key: dict[str, Any]) -> bool:
    try:
        return all(base64.urlsafe_b64decode(key[part] + "==") for part in ("n", "x") if part in key)
    except (binascii.Error, ValueError, TypeError):
        return False


def _groups(said: Any) -> frozenset[str]:
    listed = said if isinstance(said, list) else [said]
    return frozenset(group for group in listed[:_MOST_GROUPS] if isinstance(group, str))


def _seconds(answer: dict[str, Any], name: str, otherwise: int) -> int:
    found = answer.get(name)
    return max(1, min(found, 3_600)) if type(found) is int else otherwise


def _reason(answer: dict[str, Any]) -> str:
    return str(answer.get("error_description") or answer.get("error") or "no reason given")[:200]
