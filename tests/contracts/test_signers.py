"""What every signer must do, wherever its key is held."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from nacl.secret import SecretBox

import soft_token
from key_services import Key, KeyService, key_service
from lading.kernel.digest import Digest
from lading.supply_chain.attest.errors import KeyUnusable
from lading.supply_chain.attest.keys import Signer
from lading.supply_chain.attest.keys_local import PrivateKey, generate_key
from lading.supply_chain.attest.keys_public import PublicKey
from lading.supply_chain.attest.signers.opening import open_signer

PASSWORD = "correct horse"
CURVES = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}


def made_key(kind: str) -> Key:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(CURVES[kind])


def password_file(directory: Path, text: str = PASSWORD) -> Path:
    (directory / "password").write_text(text + "\n")
    return directory / "password"


def pem(key: Key, password: str = "", form: str = "PKCS8") -> bytes:
    hidden = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), hidden)


def cosign_pem(key: Key, password: str = PASSWORD, cost: int = 32_768, kind: str = "SIGSTORE") -> bytes:
    """A private key as `cosign generate-key-pair` writes it."""
    plain = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    salt, nonce = b"s" * 32, b"n" * 24
    secret = Scrypt(salt=salt, length=32, n=min(cost, 65_536), r=8, p=1).derive(password.encode())
    document = {
        "kdf": {"name": "scrypt", "params": {"N": cost, "r": 8, "p": 1}, "salt": base64.b64encode(salt).decode()},
        "cipher": {"name": "nacl/secretbox", "nonce": base64.b64encode(nonce).decode()},
        "ciphertext": base64.b64encode(SecretBox(secret).encrypt(key.private_bytes(*plain), nonce).ciphertext).decode(),
    }
    body = base64.encodebytes(json.dumps(document).encode())
    return b"-----BEGIN ENCRYPTED %b PRIVATE KEY-----\n%b-----END ENCRYPTED %b PRIVATE KEY-----\n" % (
        kind.encode(), body, kind.encode(),
    )  # fmt: skip


def in_file(content: bytes, directory: Path, *, password: bool = False) -> Signer:
    path = directory / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    return open_signer(str(path), directory / "keys", password_file(directory) if password else None)


@pytest.fixture(scope="session")
def soft_tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not soft_token.is_there():
        pytest.skip("SoftHSM is not installed (Debian package softhsm2)")
    directory = tmp_path_factory.mktemp("softhsm")
    soft_token.prepare(directory)
    soft_token.make_token("release")
    for kind in ("p256", "p384", "rsa"):
        soft_token.make_token(f"release-{kind}")
        soft_token.put_key(f"release-{kind}", "lading", made_key(kind), directory)
    return directory


def token_uri(kind: str, more: str = "") -> str:
    return f"pkcs11:token=release-{kind};object=lading;id=%01?module-path={soft_token.MODULE}{more}"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[KeyService, str]]:
    with key_service() as (made, address):
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true", "VAULT_ADDR": f"http://{address}", "VAULT_TOKEN": made.token,
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        yield made, address


LOCAL: dict[str, Callable[[Path], Signer]] = {
    "memory": lambda _: PrivateKey.generate(),
    "data-directory": lambda at: open_signer("", at / "keys"),
    "file": lambda at: in_file(pem(made_key("p256")), at),
    "file-sec1": lambda at: in_file(pem(made_key("p521"), form="TraditionalOpenSSL"), at),
    "file-ed25519": lambda at: in_file(pem(made_key("ed25519")), at),
    "file-rsa-encrypted": lambda at: in_file(pem(made_key("rsa"), PASSWORD), at, password=True),
    "cosign": lambda at: in_file(cosign_pem(made_key("p256")), at, password=True),
    "cosign-of-before": lambda at: in_file(cosign_pem(made_key("p256"), kind="COSIGN"), at, password=True),
}
KINDS = [*LOCAL, *(f"token-{kind}" for kind in ("p256", "p384", "rsa")), *(f"aws-{kind}" for kind in (*CURVES, "rsa")),
         *(f"vault-{kind}" for kind in (*CURVES, "ed25519", "rsa"))]  # fmt: skip


@pytest.fixture(params=KINDS)
def signer(request: pytest.FixtureRequest, tmp_path: Path) -> Signer:
    if request.param in LOCAL:
        return LOCAL[request.param](tmp_path)
    held, _, kind = request.param.partition("-")
    if held == "token":
        request.getfixturevalue("soft_tokens")
        return open_signer(token_uri(kind), tmp_path, password_file(tmp_path, soft_token.PIN))
    made, address = request.getfixturevalue("service")
    made.keys["release"] = [made_key(kind)]
    return open_signer(f"awskms://{address}/alias/release" if held == "aws" else "hashivault://release", tmp_path)


def test_a_signature_holds_for_its_message_and_its_key_alone(signer: Signer) -> None:
    for message in (b"message", b"", b"m" * 1_000_000):
        signature = signer.sign(message)

        assert signer.verify(message, signature)
        assert PublicKey.from_pem(signer.public_pem()).verify(message, signature)
        assert not signer.verify(b"another", signature)
        assert not PrivateKey.generate().verify(message, signature)


@pytest.mark.parametrize("signature", [b"", b"\0" * 70, b"0" * 100_000])
def test_no_bytes_make_verification_fail_otherwise(signer: Signer, signature: bytes) -> None:
    assert not signer.verify(b"message", signature)


def test_the_key_id_is_that_of_the_public_key(signer: Signer) -> None:
    assert Digest.parse(signer.key_id)
    assert PublicKey.from_pem(signer.public_pem()).key_id == signer.key_id


# Files


def test_a_generated_key_is_opened(tmp_path: Path) -> None:
    made = generate_key(tmp_path / "key.pem", PASSWORD)

    opened = open_signer(f"file:{tmp_path / 'key.pem'}", tmp_path, password_file(tmp_path))
    assert opened.key_id == made.key_id


@pytest.mark.parametrize(
    ("content", "password", "said"),
    [
        (pem(made_key("p256"), PASSWORD), "", "is encrypted"),
        (pem(made_key("p256"), PASSWORD), "wrong", "cannot be opened"),
        (cosign_pem(made_key("p256")), "wrong", "cannot be opened"),
        (cosign_pem(made_key("p256"), cost=1 << 30), PASSWORD, "cannot be opened"),
        (cosign_pem(made_key("p256")).replace(b"\nA", b"\n!", 1)[:300], PASSWORD, "cannot be opened"),
        (b"hello", "", "cannot be opened"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "", "secp256k1"),
        (pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "", "1024 bits"),
    ],
    ids=["no-password", "wrong-password", "wrong-of-cosign", "too-costly", "torn", "no-key", "curve", "size"],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: bytes, password: str, said: str) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    (tmp_path / "key.pem").chmod(0o600)
    given = password_file(tmp_path, password) if password else None

    with pytest.raises(KeyUnusable, match=said):
        open_signer(str(tmp_path / "key.pem"), tmp_path, given)


def test_a_file_that_is_not_there_or_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="cannot be read"):
        open_signer(str(tmp_path / "none.pem"), tmp_path)
    (tmp_path / "key.pem").write_bytes(pem(made_key("p256")))
    (tmp_path / "key.pem").chmod(0o644)
    with pytest.raises(KeyUnusable, match="by others"):
        open_signer(str(tmp_path / "key.pem"), tmp_path)
    for name in ("none", "empty"):
        (tmp_path / "empty").write_text("\n")
        with pytest.raises(KeyUnusable, match="password file"):
            open_signer(str(tmp_path / "key.pem"), tmp_path, tmp_path / name)


@pytest.mark.parametrize("uri", ["gcpkms://projects/x", "k8s://x/y", "env:KEY"])
def test_a_kind_that_is_not_known_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(KeyUnusable, match="no kind of key"):
        open_signer(uri, tmp_path)


# Tokens


def test_openssl_verifies_what_a_token_signed(tmp_path: Path, soft_tokens: Path) -> None:
    opened = open_signer(token_uri("p256"), tmp_path, password_file(tmp_path, soft_token.PIN))
    for name, content in {
        "key.pub": opened.public_pem().encode(),
        "sig": opened.sign(b"message"),
        "m": b"message",
    }.items():
        (tmp_path / name).write_bytes(content)

    command = ["openssl", "dgst", "-sha256", "-verify", "key.pub", "-signature", "sig", "m"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("pkcs11:token=release;object=lading", "no module"),
        ("pkcs11:token=release?module-path=/x.so", "neither object nor id"),
        ("pkcs11:token=release;object=a;slot-id=1?module-path=/x.so", "slot-id"),
        ("pkcs11:token=release;object=a?module-path=/x.so&pin-value=4711", "holds a PIN"),
        ("pkcs11:token=release;object=a?module-path=/nonexistent.so", "cannot be used"),
        ("pkcs11:token=nobody;object=a?module-path={module}", "0 tokens"),
        ("pkcs11:token=release-p256;object=nobody?module-path={module}", "0 public keys"),
    ],
)
def test_a_uri_of_a_token_that_does_not_fit_says_why(tmp_path: Path, soft_tokens: Path, uri: str, said: str) -> None:
    with pytest.raises(KeyUnusable, match=said):
        open_signer(uri.format(module=soft_token.MODULE), tmp_path, password_file(tmp_path, soft_token.PIN))


def in_a_process(uri: str, pin: Path) -> str:
    """Open a key in a process of its own: within one, a login holds for every session in a token."""
    text = (
        "import sys; from pathlib import Path; from lading.supply_chain.attest.signers.opening import open_signer\n"
        "from lading.kernel.errors import LadingError\n"
        "try: open_signer(sys.argv[1], Path('.'), Path(sys.argv[2])); sys.stdout.write('opened')\n"
        "except LadingError as error: sys.stdout.write(f'{error.what} {error.remedy}')\n"
    )
    ended = subprocess.run([sys.executable, "-c", text, uri, str(pin)], capture_output=True, text=True, check=True)
    return ended.stdout


def test_a_wrong_pin_is_tried_once_and_the_pin_may_be_named_in_the_uri(tmp_path: Path, soft_tokens: Path) -> None:
    right, wrong = password_file(tmp_path, soft_token.PIN), tmp_path / "wrong"
    wrong.write_text("0815")

    assert "is wrong" in in_a_process(token_uri("p256"), wrong)
    assert in_a_process(token_uri("p256"), right) == "opened"
    opened = open_signer(token_uri("p256", f"&pin-source=file:{right}"), tmp_path)
    assert opened.verify(b"m", opened.sign(b"m"))


def test_a_session_that_was_lost_is_opened_again_and_a_refused_pin_never_tried_again(
    tmp_path: Path, soft_tokens: Path
) -> None:
    text = (
        "import sys; from pathlib import Path; from lading.kernel.errors import LadingError\n"
        "from lading.supply_chain.attest.signers.opening import open_signer\n"
        "key = open_signer(sys.argv[1], Path('.'), Path(sys.argv[2])); token = key._token\n"
        "token._session.close(); sys.stdout.write(str(key.verify(b'm', key.sign(b'm'))))\n"
        "token._session.close(); token._pin = '0815'\n"
        "for _ in range(3):\n"
        "    try: key.sign(b'm')\n"
        "    except LadingError as error: sys.stdout.write('|' + error.what)\n"
        "token._pin = sys.argv[3]; token._refused = False\n"
        "sys.stdout.write('|' + str(key.verify(b'm', key.sign(b'm'))))\n"
    )
    right = password_file(tmp_path, soft_token.PIN)
    words = [sys.executable, "-c", text, token_uri("p256"), str(right), soft_token.PIN]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)

    wrong = "The PIN of token release-p256 is wrong."
    assert ended.stdout.split("|") == ["True", wrong, wrong, wrong, "True"], ended.stderr


# Key services


def test_what_aws_does_not_allow_says_what_to_do(tmp_path: Path, service: tuple[KeyService, str]) -> None:
    made, address = service
    made.keys["release"] = [made_key("p256")]
    opened = open_signer(f"awskms://{address}/alias/release", tmp_path)

    made.disabled.add("release")
    with pytest.raises(KeyUnusable, match="disabled") as refused:
        opened.sign(b"message")
    assert "Enable the key" in refused.value.remedy
    with pytest.raises(KeyUnusable, match="not found"):
        open_signer(f"awskms://{address}/alias/nobody", tmp_path)
    with pytest.raises(KeyUnusable, match="names no key"):
        open_signer("awskms://alias", tmp_path)


def test_vault_signs_in_the_version_of_the_start(tmp_path: Path, service: tuple[KeyService, str]) -> None:
    made, _ = service
    made.keys["release"] = [made_key("p256")]
    opened = open_signer("hashivault://release", tmp_path)
    made.keys["release"].append(made_key("p256"))

    assert opened.verify(b"m", opened.sign(b"m"))
    assert open_signer("hashivault://release", tmp_path).key_id != opened.key_id
    made.failures = 2
    assert opened.verify(b"m", opened.sign(b"m"))
    made.failures = 3
    with pytest.raises(KeyUnusable, match="503"):
        opened.sign(b"m")
    made.disabled.add("release")
    with pytest.raises(KeyUnusable, match="400"):
        opened.sign(b"m")


def test_a_key_that_was_replaced_behind_us_signs_nothing(tmp_path: Path, service: tuple[KeyService, str]) -> None:
    made, address = service
    made.keys["release"] = [made_key("p256")]
    by_aws = open_signer(f"awskms://{address}/alias/release", tmp_path)
    by_vault = open_signer("hashivault://release", tmp_path)
    made.keys["release"][:] = [made_key("p256")]

    for opened in (by_aws, by_vault):
        with pytest.raises(KeyUnusable, match="does not hold"):
            opened.sign(b"message")


def test_vault_is_asked_with_the_right_token_at_the_right_place(
    tmp_path: Path, service: tuple[KeyService, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = service
    made.keys["release"] = [made_key("p256")]
    monkeypatch.setenv("VAULT_TOKEN", "wrong")
    with pytest.raises(KeyUnusable, match="403"):
        open_signer("hashivault://release", tmp_path)
    assert open_signer("hashivault://release", tmp_path, password_file(tmp_path, made.token))
    with pytest.raises(KeyUnusable, match="404"):
        open_signer("hashivault://nobody", tmp_path, password_file(tmp_path, made.token))
    monkeypatch.delenv("VAULT_TOKEN")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(KeyUnusable, match="no token"):
        open_signer("hashivault://release", tmp_path)
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    with pytest.raises(KeyUnusable, match="does not answer"):
        open_signer("hashivault://release", tmp_path, password_file(tmp_path, made.token))
    monkeypatch.delenv("VAULT_ADDR")
    with pytest.raises(KeyUnusable, match="where Vault is"):
        open_signer("hashivault://release", tmp_path)
