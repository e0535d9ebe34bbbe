"""The instance of sigstore of the tests over HTTP: the APIs of Fulcio (v2) and of Rekor (v1), as clients that sign ask them."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from sigstore_instance import SigstoreInstance, canonical


class SigstoreServer:
    """Gives certificates for tokens, whoever signed those, and records what it is sent. `refuses` answers 400 there."""

    def __init__(self, instance: SigstoreInstance) -> None:
        self.instance = instance
        self.refuses = ""
        self.url = ""

    def trust_config(self, directory: Path) -> Path:
        """The file by which clients sign here."""
        since = {"start": "2020-01-01T00:00:00Z"}
        service = {"url": self.url, "majorApiVersion": 1, "validFor": since, "operator": "test"}
        chosen = {"selector": "ANY"}
        document = {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": json.loads(self.instance.trusted_root(directory / "root.json").read_text()),
            "signingConfig": {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": [service], "oidcUrls": [], "rekorTlogUrls": [service], "rekorTlogConfig": chosen,
                "tsaUrls": [], "tsaConfig": chosen,
            },
        }  # fmt: skip
        path = directory / "trust-config.json"
        path.write_text(json.dumps(document))
        return path

    def token(self, identity: str, issuer: str, *, minutes: int = 10, audience: str = "sigstore") -> str:
        """What a provider of identities would give; nobody here checks who signed it."""
        now = int(self.instance.now.timestamp())
        claims = {"iss": issuer, "sub": identity, "aud": audience, "iat": now - 3600, "exp": now + 60 * minutes}
        return jwt.encode(claims, "x" * 32, algorithm="HS256")

    def answer(self, path: str, asked: dict[str, Any], token: str) -> tuple[int, dict[str, Any]]:
        if self.refuses and self.refuses in path:
            return 400, {"message": "not today"}
        if path == "/api/v2/signingCert":
            return 200, self._certificate(asked, token)
        if path == "/api/v1/log/entries":
            return 201, self._recorded(asked)
        return 404, {}

    def _certificate(self, asked: dict[str, Any], token: str) -> dict[str, Any]:
        request: Any = x509.load_pem_x509_csr(base64.b64decode(asked["certificateSigningRequest"]))
        assert request.is_signature_valid
        claims = jwt.decode(token, options={"verify_signature": False})
        given = self.instance.certificate(request, claims["sub"], claims["iss"])
        chain = [one.public_bytes(serialization.Encoding.PEM).decode() for one in (given, self.instance.root)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def _recorded(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert asked["kind"] == "dsse"
        proposed = asked["spec"]["proposedContent"]
        envelope = json.loads(proposed["envelope"])
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(canonical(envelope)).hexdigest()},
            "payloadHash": {
                "algorithm": "sha256", "value": hashlib.sha256(base64.b64decode(envelope["payload"])).hexdigest()
            },
            "signatures": [
                {"signature": one["sig"], "verifier": verifier}
                for one, verifier in zip(envelope["signatures"], proposed["verifiers"], strict=True)
            ],
        }  # fmt: skip
        entry = self.instance.entry("dsse", spec)
        proof = entry["inclusionProof"]
        return {
            "24296fb24b8ad77a": {
                "body": entry["canonicalizedBody"],
                "integratedTime": int(entry["integratedTime"]),
                "logIndex": 0,
                "logID": base64.b64decode(entry["logId"]["keyId"]).hex(),
                "verification": {
                    "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
                    "inclusionProof": {
                        "logIndex": 0, "treeSize": 1, "hashes": [], "checkpoint": proof["checkpoint"]["envelope"],
                        "rootHash": base64.b64decode(proof["rootHash"]).hex(),
                    },
                },
            }
        }  # fmt: skip


@contextmanager
def serving(instance: SigstoreInstance) -> Iterator[SigstoreServer]:
    """The instance on a free port of this machine."""
    server = SigstoreServer(instance)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, told = server.answer(self.path, asked, self.headers.get("Authorization", "")[7:])
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
