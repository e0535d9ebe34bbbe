"""Keys in a PKCS#11 token: an HSM, a smart card, or SoftHSM. The URI is that of RFC 7512, as in cosign and openssl.

    pkcs11:token=release;object=lading;id=%01?module-path=/usr/lib/softhsm/libsofthsm2.so

The PIN is in the password file or where `pin-source=file:…` says, and is tried once: a token counts wrong ones.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from lading.supply_chain.attest.errors import KeyUnusable
from lading.supply_chain.attest.keys_public import AnyPublicKey
from lading.supply_chain.attest.signers.held import HeldKey
from lading.supply_chain.attest.signers.passwords import read_password

try:
    import pkcs11
    from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
    from pkcs11.util.ec import encode_ec_public_key
except ImportError as missing:
    raise KeyUnusable(
        "Keys in PKCS#11 tokens need the package python-pkcs11.", remedy="Run: pip install python-pkcs11"
    ) from missing

_FIND: Final = {"token", "serial", "object", "id", "type", "manufacturer", "model"}
# What a token answers when a session is gone, for example because the card was taken out and put back.
_LOST: Final = (
    pkcs11.exceptions.SessionHandleInvalid,
    pkcs11.exceptions.SessionClosed,
    pkcs11.exceptions.UserNotLoggedIn,
    pkcs11.exceptions.DeviceRemoved,
    pkcs11.exceptions.TokenNotPresent,
    pkcs11.exceptions.ObjectHandleInvalid,
    pkcs11.exceptions.KeyHandleInvalid,
)


def open_pkcs11(uri: str, pin: str) -> Pkcs11Key:
    """The key that a URI names; raises KeyUnusable."""
    path, _, query = uri.removeprefix("pkcs11:").partition("?")
    wanted = dict(part.split("=", 1) for part in path.split(";") if "=" in part)
    said = dict(parse_qsl(query))
    if "pin-value" in said:
        raise KeyUnusable(
            "The URI of the signing key holds a PIN, which everybody sees who sees the settings.",
            remedy="Put it in a file and name that in LADING_SIGNING_PASSWORD_FILE or with pin-source=file:…",
        )
    unknown = ", ".join(sorted(set(wanted) - _FIND))
    if unknown or not {"object", "id"} & set(wanted):
        why = f"says {unknown}, which is not used here" if unknown else "names neither object nor id"
        raise KeyUnusable(f"The URI of the signing key {why}.", remedy="Write pkcs11:token=…;object=…?module-path=….")
    if "module-path" not in said:
        raise KeyUnusable("The URI of the signing key names no module.", remedy="Add ?module-path=/usr/lib/….so to it.")
    if not pin and "pin-source" in said:
        pin = read_password(Path(said["pin-source"].removeprefix("file:").removeprefix("//")))
    token = _Token(said["module-path"], unquote(wanted.get("token", "")), wanted.get("serial", ""), pin)
    label = unquote(wanted["object"]) if "object" in wanted else None
    return Pkcs11Key(token, label, unquote_to_bytes(wanted["id"]) if "id" in wanted else None)


class _Token:
    """A token, and a session in it that is opened again when it was lost.

    A PIN that was refused is never tried again: a token that counts wrong ones would lock itself while images wait.
    """

    def __init__(self, module: str, label: str, serial: str, pin: str) -> None:
        self.name = label or serial or "the only token"
        self._module, self._label, self._serial, self._pin = module, label, serial, pin
        self._session: Any = None
        self._refused = False

    def session(self, *, anew: bool = False) -> Any:
        """The session; raises KeyUnusable."""
        if anew and self._session is not None:
            lost, self._session = self._session, None
            with suppress(pkcs11.exceptions.PKCS11Error, RuntimeError):
                lost.close()
        if self._session is None:
            self._session = self._opened()
        return self._session

    def _opened(self) -> Any:
        if self._refused:
            raise self._wrong_pin()
        try:
            tokens = list(
                pkcs11.lib(self._module).get_tokens(
                    token_label=self._label or None, token_serial=self._serial.encode() or None
                )
            )
            if len(tokens) != 1:
                raise KeyUnusable(
                    f"{len(tokens)} tokens of {self._module} are called {self.name}.",
                    remedy="`pkcs11-tool --module … --list-token-slots` lists them.",
                )
            try:
                return tokens[0].open(user_pin=self._pin or None)
            except pkcs11.exceptions.UserAlreadyLoggedIn:
                # Another session of this process is: a login holds for all sessions in a token.
                return tokens[0].open()
        except pkcs11.exceptions.PinLocked as error:
            self._refused = True
            raise KeyUnusable(
                f"The PIN of token {self.name} is locked.", remedy="Unlock it with its SO PIN."
            ) from error
        except (pkcs11.exceptions.PinIncorrect, pkcs11.exceptions.PinInvalid, pkcs11.exceptions.PinLenRange) as error:
            self._refused = True
            raise self._wrong_pin() from error
        except (pkcs11.exceptions.PKCS11Error, RuntimeError, OSError) as error:
            raise _unusable(self.name, error) from error

    def _wrong_pin(self) -> KeyUnusable:
        return KeyUnusable(
            f"The PIN of token {self.name} is wrong.",
            remedy="Correct the file that LADING_SIGNING_PASSWORD_FILE names and start again; it was tried once.",
        )


class Pkcs11Key(HeldKey):
    """A key in a token; several threads sign one after the other."""

    def __init__(self, token: _Token, label: str | None, identity: bytes | None) -> None:
        """Raises KeyUnusable: the token does not answer, or has no such key, or several."""
        self._token = token
        self._label, self._id = label, identity
        self._one_at_a_time = threading.Lock()
        super().__init__(self._public(), f"token {token.name}")
        self._handle = self._find(ObjectClass.PRIVATE_KEY)

    def _signed(self, message: bytes) -> bytes:
        with self._one_at_a_time:
            try:
                return self._by_token(message)
            except _LOST:
                self._token.session(anew=True)
                self._handle = self._find(ObjectClass.PRIVATE_KEY)
            except (pkcs11.exceptions.PKCS11Error, RuntimeError) as error:
                raise _unusable(self._token.name, error) from error
            try:
                return self._by_token(message)
            except (pkcs11.exceptions.PKCS11Error, RuntimeError) as error:
                raise _unusable(self._token.name, error) from error

    def _by_token(self, message: bytes) -> bytes:
        if not self.algorithm.is_ecdsa:
            return bytes(self._handle.sign(message, mechanism=Mechanism.SHA256_RSA_PKCS))
        pair = bytes(self._handle.sign(self._hashed(message), mechanism=Mechanism.ECDSA))
        half = len(pair) // 2
        return encode_dss_signature(int.from_bytes(pair[:half], "big"), int.from_bytes(pair[half:], "big"))

    def _public(self) -> AnyPublicKey:
        key = self._find(ObjectClass.PUBLIC_KEY)
        try:
            if key.key_type is KeyType.RSA:
                exponent, modulus = key[Attribute.PUBLIC_EXPONENT], key[Attribute.MODULUS]
                return rsa.RSAPublicNumbers(
                    int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big")
                ).public_key()
            if key.key_type is KeyType.EC:
                found = serialization.load_der_public_key(encode_ec_public_key(key))
                if isinstance(found, ec.EllipticCurvePublicKey):
                    return found
        except (pkcs11.exceptions.PKCS11Error, ValueError) as error:
            raise _unusable(self._token.name, error) from error
        raise KeyUnusable(f"The key in token {self._token.name} is {key.key_type}.", remedy="Use an EC or an RSA key.")

    def _find(self, kind: ObjectClass) -> Any:
        wanted = {Attribute.CLASS: kind}
        wanted |= {Attribute.LABEL: self._label} if self._label is not None else {}
        wanted |= {Attribute.ID: self._id} if self._id is not None else {}
        try:
            found = list(self._token.session().get_objects(wanted))
        except (pkcs11.exceptions.PKCS11Error, RuntimeError) as error:
            raise _unusable(self._token.name, error) from error
        if len(found) != 1:
            what = "private" if kind is ObjectClass.PRIVATE_KEY else "public"
            raise KeyUnusable(
                f"{len(found)} {what} keys in token {self._token.name} fit the URI of the signing key.",
                remedy="Name object and id as `pkcs11-tool --list-objects` does; private keys show with a PIN only.",
            )
        return found[0]


def _unusable(name: str, error: Exception) -> KeyUnusable:
    why = str(error) or type(error).__name__
    return KeyUnusable(f"Token {name} cannot be used: {why[:200]}.", remedy="Check the module, the token and the PIN.")
