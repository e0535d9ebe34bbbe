import hashlib
import subprocess
import threading
from pathlib import Path

import pytest

from lading.supply_chain.attest.errors import KeyUnusable
from lading.supply_chain.attest.keys_ecdsa import PRIVATE_NAME, PUBLIC_NAME, PublicKey, open_local_key


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


@pytest.mark.parametrize(
    "kind", [["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]]
)
def test_a_key_of_another_kind_is_not_used(tmp_path: Path, kind: list[str]) -> None:
    path = tmp_path / PRIVATE_NAME
    subprocess.run(["openssl", "genpkey", "-algorithm", *kind, "-out", str(path)], check=True, capture_output=True)
    path.chmod(0o600)
    public = subprocess.run(["openssl", "pkey", "-in", str(path), "-pubout"], check=True, capture_output=True).stdout
    with pytest.raises(KeyUnusable):
        open_local_key(tmp_path)
    with pytest.raises(KeyUnusable):
        PublicKey.from_pem(public)
