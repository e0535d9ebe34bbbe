"""The one place that knows which URI is which kind of signer.

| URI | what holds the key |
|---|---|
| empty | a file in the data directory, made at the first start |
| `PATH`, `file:PATH` | PEM: PKCS #8, SEC 1, PKCS #1, cosign's own; encrypted ones with the password file |
| `pkcs11:token=…;object=…?module-path=…` | a token, HSM or smart card (RFC 7512) |
| `awskms://[ENDPOINT]/KEY` | AWS KMS: an id, an ARN or an alias |
| `hashivault://KEY` | the transit engine of Vault or OpenBao |
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lading.supply_chain.attest.errors import KeyUnusable
from lading.supply_chain.attest.keys import Signer
from lading.supply_chain.attest.keys_local import open_local_key
from lading.supply_chain.attest.signers.passwords import read_password

_REMEDY: Final = "Write a path, pkcs11:…, awskms://…, or hashivault://… in LADING_SIGNING_KEY."


def open_signer(uri: str, directory: Path, password_file: Path | None = None) -> Signer:
    """The signer that a URI names; a key that cannot be used is found here and not at the first signature.

    Args:
        directory: where the key lies that an empty URI means.
        password_file: its first line is the password of a file, the PIN of a token, or the token of Vault.

    Raises:
        KeyUnusable: the URI is none of the table, or its key cannot be used.
    """
    if not uri:
        return open_local_key(directory)
    scheme, colon, rest = uri.partition(":")
    if not colon or "/" in scheme:
        return _from_file(Path(uri), password_file)
    if scheme == "file":
        return _from_file(Path(rest.removeprefix("//")), password_file)
    if scheme == "pkcs11":
        from lading.supply_chain.attest.signers.pkcs11_token import open_pkcs11

        return open_pkcs11(uri, read_password(password_file))
    if scheme == "awskms":
        from lading.supply_chain.attest.signers.aws_kms import open_awskms

        return open_awskms(uri)
    if scheme == "hashivault":
        from lading.supply_chain.attest.signers.vault_transit import open_vault

        return open_vault(uri, read_password(password_file))
    raise KeyUnusable(f"There is no kind of key called {scheme[:40]!r}.", remedy=_REMEDY)


def _from_file(path: Path, password_file: Path | None) -> Signer:
    from lading.supply_chain.attest.signers.files import open_file

    return open_file(path.expanduser(), read_password(password_file))
