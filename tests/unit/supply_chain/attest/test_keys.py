import hashlib
import subprocess
import threading
from pathlib import Path

import pytest

from lading.supply_chain.attest.errors import KeyUnusable
from lading.supply_chain.attest.keys_local import PRIVATE_NAME, PUBLIC_NAME, open_local_key
from lading.supply_chain.attest.keys_public import Algorithm, PublicKey


def test_the_local_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    first = open_local_key(directory)
    assert open_local_key(directory).key_id == first.key_id
    assert (directory / PRIVATE_NAME).stat().st_mode & 0o777 == 0o600
    assert (directory / PUBLIC_NAME).read_text() == first.public_pem()
    assert sorted(path.name for path in directory.iterdir()) == [PRIVATE_NAME, PUBLIC_NAME]


def test_the_key_id_is_what_openssl_computes(tmp_path: Path) -> None:
    key = open_local_key(tmp_path)
    command = ["openssl", "pkey", "-pubin", "-in", str(tmp_path / PUBLIC_NAME), "-outform", "DER"]
    der = subprocess.run(command, check=True, capture_output=True).stdout
    assert key.key_id == "sha256:" + hashlib.sha256(der).hexdigest()


def test_threads_that_race_for_the_key_get_the_same_one(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(open_local_key(tmp_path).key_id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\n", b"\0" * 100_000])
def test_a_damaged_key_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PRIVATE_NAME).write_bytes(content)
    (tmp_path / PRIVATE_NAME).chmod(0o600)
    with pytest.raises(KeyUnusable, match="damaged"):
        open_local_key(tmp_path)
    assert (tmp_path / PRIVATE_NAME).read_bytes() == content


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    open_local_key(tmp_path)
    (tmp_path / PRIVATE_NAME).chmod(0o644)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        open_local_key(tmp_path)


# What openssl calls a key, and how it signs with it; `-rawin` hashes what it is given.
KINDS = {
    "ecdsa-p256-sha256": (["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], ["-digest", "sha256"]),
    "ecdsa-p384-sha384": (["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], ["-digest", "sha384"]),
    "ecdsa-p384 over sha256": (["EC", "-pkeyopt", "ec_paramgen_curve:P-384"], ["-digest", "sha256"]),
    "ecdsa-p521-sha512": (["EC", "-pkeyopt", "ec_paramgen_curve:P-521"], ["-digest", "sha512"]),
    "ed25519": (["ED25519"], []),
    "rsa-pkcs1v15-sha256": (["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ["-digest", "sha256"]),
    "rsa-pss": (["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ["-digest", "sha256", "-pkeyopt", "rsa_padding_mode:pss"]),
}


def generated(directory: Path, kind: list[str]) -> tuple[Path, bytes]:
    """A private key in a file of its own, and its public key, both by openssl."""
    path = directory / PRIVATE_NAME
    subprocess.run(["openssl", "genpkey", "-algorithm", *kind, "-out", str(path)], check=True, capture_output=True)
    path.chmod(0o600)
    public = subprocess.run(["openssl", "pkey", "-in", str(path), "-pubout"], check=True, capture_output=True).stdout
    return path, public


@pytest.mark.parametrize("name", KINDS)
def test_what_openssl_signed_is_verified_with_every_kind_of_key(tmp_path: Path, name: str) -> None:
    kind, options = KINDS[name]
    path, public = generated(tmp_path, kind)
    (tmp_path / "message").write_bytes(b"message")
    command = ["openssl", "pkeyutl", "-sign", "-rawin", "-in", str(tmp_path / "message"), "-inkey", str(path), *options]
    signature = subprocess.run(command, check=True, capture_output=True).stdout

    key = PublicKey.from_pem(public)
    assert key.verify(b"message", signature)
    assert not key.verify(b"messagf", signature)
    assert not key.verify(b"message", signature[:-1] + bytes([signature[-1] ^ 1]))
    assert PublicKey.from_pem(key.public_pem()).key_id == key.key_id


@pytest.mark.parametrize("name", [name for name in KINDS if name in set(Algorithm)])
def test_a_key_of_another_kind_signs_what_openssl_verifies(tmp_path: Path, name: str) -> None:
    kind, options = KINDS[name]
    generated(tmp_path, kind)
    key = open_local_key(tmp_path)
    assert key.algorithm == name
    (tmp_path / "message").write_bytes(b"message")
    (tmp_path / "signature").write_bytes(key.sign(b"message"))
    files = ["-in", str(tmp_path / "message"), "-sigfile", str(tmp_path / "signature")]
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(tmp_path / PUBLIC_NAME), *files]
    assert subprocess.run([*command, *options], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "kind", [["RSA", "-pkeyopt", "rsa_keygen_bits:1024"], ["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], ["X25519"]]
)
def test_a_key_that_nobody_should_sign_with_is_not_used(tmp_path: Path, kind: list[str]) -> None:
    _, public = generated(tmp_path, kind)
    with pytest.raises(KeyUnusable):
        open_local_key(tmp_path)
    with pytest.raises(KeyUnusable):
        PublicKey.from_pem(public)
