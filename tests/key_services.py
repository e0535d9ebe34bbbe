"""Key services for tests, over HTTP: AWS KMS and Vault's transit engine, as far as signing asks of them.

moto's KMS hashes what it is told is a hash already, so that no verifier accepts what it signs; and Vault is no package.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

_SHA: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def sign_hashed(key: Key, digest: bytes, bits: str) -> bytes:
    """A signature over a hash; a hash of another length is refused as the services do."""
    hashed = utils.Prehashed(_SHA[bits])
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(digest, padding.PKCS1v15(), hashed)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.sign(digest, ec.ECDSA(hashed))


class KeyService:
    """Keys by name, in versions; `disabled` ones answer as the service does. `asked` has the requests."""

    def __init__(self) -> None:
        self.keys: dict[str, list[Key]] = {}
        self.disabled: set[str] = set()
        self.token = "vault-token"
        self.failures = 0
        self.asked: list[tuple[str, Any]] = []

    def answer(self, path: str, headers: Any, body: Any) -> tuple[int, dict[str, Any]]:
        """Status and document."""
        self.asked.append((path, body))
        target = headers.get("X-Amz-Target", "")
        if target:
            return self._kms(target.rpartition(".")[2], body)
        if self.failures:
            self.failures -= 1
            return 503, {"errors": ["Vault is sealed"]}
        if headers.get("X-Vault-Token") != self.token:
            return 403, {"errors": ["permission denied"]}
        action, _, name = path.removeprefix("/v1/transit/").partition("/")
        if name not in self.keys:
            return 404, {"errors": []}
        return self._transit(action, name, body)

    def _kms(self, action: str, body: Any) -> tuple[int, dict[str, Any]]:
        name = body["KeyId"].rpartition("/")[2]
        if name not in self.keys:
            return 400, {"__type": "NotFoundException", "message": f"Alias {name} is not found."}
        if name in self.disabled:
            return 400, {"__type": "DisabledException", "message": f"{name} is disabled."}
        key, arn = self.keys[name][-1], f"arn:aws:kms:eu-central-1:111122223333:key/{name}"
        if action == "GetPublicKey":
            form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            return 200, {"KeyId": arn, "PublicKey": base64.b64encode(key.public_key().public_bytes(*form)).decode()}
        assert (action, body["MessageType"]) == ("Sign", "DIGEST")
        bits = body["SigningAlgorithm"][-3:]
        signature = sign_hashed(key, base64.b64decode(body["Message"]), bits)
        return 200, {"KeyId": arn, "Signature": base64.b64encode(signature).decode()}

    def _transit(self, action: str, name: str, body: Any) -> tuple[int, dict[str, Any]]:
        versions = self.keys[name]
        if action == "keys":
            shown = {str(number): {"public_key": _shown(key)} for number, key in enumerate(versions, start=1)}
            return 200, {"data": {"keys": shown, "latest_version": len(versions)}}
        if name in self.disabled:
            return 400, {"errors": ["requested version for signing is less than the minimum encryption key version"]}
        key, content = versions[body["key_version"] - 1], base64.b64decode(body["input"])
        if isinstance(key, ed25519.Ed25519PrivateKey):
            signature = key.sign(content)
        else:
            assert body["prehashed"] and body["marshaling_algorithm"] == "asn1"
            signature = sign_hashed(key, content, body["hash_algorithm"][-3:])
        text = base64.b64encode(signature).decode()
        return 200, {"data": {"signature": f"vault:v{body['key_version']}:{text}"}}


def _shown(key: Key) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return base64.b64encode(key.public_key().public_bytes_raw()).decode()
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(*form).decode()


@contextmanager
def key_service() -> Iterator[tuple[KeyService, str]]:
    """A service, and its HOST:PORT."""
    service = KeyService()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            status, document = service.answer(self.path, self.headers, json.loads(self.rfile.read(length) or b"null"))
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield service, f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
