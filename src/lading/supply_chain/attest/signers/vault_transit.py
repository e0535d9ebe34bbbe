"""Keys in the transit engine of HashiCorp Vault or OpenBao: `hashivault://KEY`, as cosign names them.

VAULT_ADDR, VAULT_NAMESPACE and TRANSIT_SECRET_ENGINE_PATH say where; the token is in the password file, VAULT_TOKEN or
~/.vault-token. It needs `read` on transit/keys/KEY and `update` on transit/sign/KEY. A key is used in the version that
was the youngest at the start: what a rotation makes is used from the next start on.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from lading.supply_chain.attest.errors import KeyUnusable
from lading.supply_chain.attest.keys_public import Algorithm, AnyPublicKey
from lading.supply_chain.attest.signers.held import HeldKey

_KEY: Final = re.compile(r"hashivault://(?P<key>[A-Za-z0-9._-]{1,255})")
_SECONDS: Final = 10.0
_TRIES: Final = 3
_HASHES: Final = {
    Algorithm.ECDSA_P256: "sha2-256",
    Algorithm.ECDSA_P384: "sha2-384",
    Algorithm.ECDSA_P521: "sha2-512",
    Algorithm.RSA: "sha2-256",
}


def open_vault(uri: str, token: str = "") -> VaultKey:
    """The key that a URI names; raises KeyUnusable."""
    found = _KEY.fullmatch(uri)
    if found is None:
        raise KeyUnusable(f"{uri[:200]!r} names no key of Vault.", remedy="Write hashivault://KEY.")
    address = os.environ.get("VAULT_ADDR", "")
    if not address:
        raise KeyUnusable("It is not said where Vault is.", remedy="Set VAULT_ADDR, such as https://vault:8200.")
    mount = os.environ.get("TRANSIT_SECRET_ENGINE_PATH", "transit").strip("/")
    transit = _Transit(address, mount, token or _token(), os.environ.get("VAULT_NAMESPACE", ""))
    name = found["key"]
    answer = transit.ask("GET", f"keys/{name}", name)
    version = answer.get("latest_version")
    try:
        key = _public(str(answer["keys"][str(version)]["public_key"]))
    except (KeyError, TypeError, ValueError) as error:
        raise KeyUnusable(f"{name} in Vault is no key that signs.", remedy="Use the type ecdsa-p256.") from error
    return VaultKey(transit, name, int(str(version)), key)


def _token() -> str:
    try:
        return os.environ.get("VAULT_TOKEN") or (Path.home() / ".vault-token").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnusable(
            "There is no token for Vault.", remedy="Put it in a file and name that in LADING_SIGNING_PASSWORD_FILE."
        ) from error


def _public(text: str) -> AnyPublicKey:
    """The public key, which is PEM but for Ed25519; raises ValueError."""
    if not text.startswith("-----"):
        return ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    found = serialization.load_pem_public_key(text.encode())
    if not isinstance(found, AnyPublicKey):
        raise ValueError("a kind of key that is not used here")
    return found


class _Transit:
    """The transit engine over HTTP."""

    def __init__(self, address: str, mount: str, token: str, namespace: str) -> None:
        headers = {"X-Vault-Token": token, "X-Vault-Request": "true"}
        headers |= {"X-Vault-Namespace": namespace} if namespace else {}
        self._http = httpx.Client(
            base_url=f"{address.rstrip('/')}/v1/{mount}/",
            headers=headers,
            timeout=_SECONDS,
            transport=httpx.HTTPTransport(retries=_TRIES - 1),
        )

    def ask(self, method: str, path: str, key: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The `data` of an answer; raises KeyUnusable. A sealed or busy Vault is asked again."""
        for left in reversed(range(_TRIES)):
            try:
                answer = self._http.request(method, path, json=body)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise KeyUnusable(
                    f"Vault does not answer: {error}.", remedy="Check VAULT_ADDR and the network."
                ) from error
            if answer.status_code < 500 or not left:
                break
        if answer.status_code != 200:
            raise _unusable(key, answer)
        try:
            data = answer.json()["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise KeyUnusable("What answers at VAULT_ADDR is no Vault.", remedy="Check VAULT_ADDR.") from error
        return dict(data)


class VaultKey(HeldKey):
    """A key in Vault, in one version."""

    def __init__(self, transit: _Transit, name: str, version: int, key: AnyPublicKey) -> None:
        """Raises KeyUnusable for a kind of key that is not used here."""
        super().__init__(key, f"{name} in Vault")
        self._transit, self._name, self._version = transit, name, version

    def _signed(self, message: bytes) -> bytes:
        body: dict[str, Any] = {"key_version": self._version}
        if self.algorithm is Algorithm.ED25519:
            body |= {"input": base64.b64encode(message).decode()}
        else:
            body |= {
                "input": base64.b64encode(self._hashed(message)).decode(),
                "prehashed": True,
                "hash_algorithm": _HASHES[self.algorithm],
                "marshaling_algorithm": "asn1",
                "signature_algorithm": "pkcs1v15",
            }
        answer = self._transit.ask("POST", f"sign/{self._name}", self._name, body)
        try:
            return base64.b64decode(str(answer["signature"]).rpartition(":")[2], validate=True)
        except (KeyError, binascii.Error) as error:
            raise KeyUnusable(f"Vault's answer for {self._name} holds no signature.") from error


def _unusable(key: str, answer: httpx.Response) -> KeyUnusable:
    remedy = {
        403: f"Its token needs `read` on transit/keys/{key} and `update` on transit/sign/{key}.",
        404: "Check LADING_SIGNING_KEY and TRANSIT_SECRET_ENGINE_PATH.",
        503: "Vault is sealed: unseal it.",
    }.get(answer.status_code, "See Vault's log.")
    return KeyUnusable(f"{key} in Vault cannot be used: status {answer.status_code}.", remedy=remedy)
