"""`lading key` on a real server: another's key trusted, and the own one replaced and revoked."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.conftest import Server, until
from lading.kernel.digest import Digest
from lading.kernel.errors import ExitCode
from lading.policy.pack import DEFAULT_PACK
from lading.supply_chain.attest.statement import SIGNATURE, Statement
from lading.supply_chain.registry.manifest import OCI_MANIFEST
from pushing import PushedImage, Pusher, digest_of
from sigstore_instance import SigstoreInstance
from sigstore_server import serving

pytestmark = pytest.mark.slow


def run(server: Server, *words: str, code: int = 0) -> str:
    ended = server.cli(*words)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return str(ended.stdout + ended.stderr)


def signers(server: Server, image: str) -> set[tuple[str, bool]]:
    rows = server.client.get(f"/api/v1/images/{image}/attestations")
    return {(row["key_id"], row["holds"]) for row in rows if row["holds"]}


def approved_image(server: Server) -> str:
    server.client.post("/api/v1/teams", {"team": "shop"})
    token = server.client.post("/api/v1/teams/shop/robots", {"name": "ci"})["token"]
    pusher = Pusher(server.push, "shop/ci", token)
    image = pusher.push("shop/web", "1").digest
    pusher.close()
    run(server, "image", "approve", "shop/web:1", "--why", "looked at")
    return image


def test_a_key_is_replaced_and_the_former_one_revoked(new_server: Callable[..., Server], tmp_path: Path) -> None:
    server = new_server(home=tmp_path)
    server.start()
    image = approved_image(server)
    former: dict[str, Any] = json.loads(run(server, "key", "ls", "-o", "json"))[0]
    assert (former["signs"], former["ours"], former["state"]) == (True, True, "counts")
    assert run(server, "key", "revoke", former["name"], "--why", "stolen", code=ExitCode.CONFLICT)
    run(server, "ledger", "checkpoint")

    run(server, "key", "generate", str(tmp_path / "new.pem"))
    server.stop()
    server.environment["LADING_SIGNING_KEY"] = str(tmp_path / "new.pem")
    server.start()
    present = next(row for row in json.loads(run(server, "key", "ls", "-o", "json")) if row["signs"])
    assert present["key_id"] != former["key_id"]
    assert {key for key, _ in signers(server, image)} == {former["key_id"]}

    run(server, "key", "revoke", former["key_id"][:20], "--why", "stolen")
    until(lambda: ({key for key, _ in signers(server, image)} == {present["key_id"]}) or None)
    run(server, "image", "verify", "shop/web:1")
    assert server.client.get("/api/v1/images/shop/web:1")["state"] == "approved"
    assert "intact" in run(server, "ledger", "verify")

    server.stop()
    del server.environment["LADING_SIGNING_KEY"]
    refused = server.cli("up")
    assert refused.returncode == ExitCode.FAILED
    assert "was revoked: stolen" in refused.stderr


def test_a_key_of_another_is_trusted_by_name(new_server: Callable[..., Server], tmp_path: Path) -> None:
    server = new_server()
    server.start()
    run(server, "key", "generate", str(tmp_path / "ci.pem"))

    assert "private key" in run(server, "key", "add", "ci", str(tmp_path / "ci.pem"), code=ExitCode.USAGE)
    assert "count now" in run(server, "key", "add", "ci", str(tmp_path / "ci.pem.pub"))
    (tmp_path / "bad.pub").write_text("hello")
    run(server, "key", "add", "bad", str(tmp_path / "bad.pub"), code=ExitCode.USAGE)
    run(server, "key", "revoke", "nobody", "--why", "x", code=ExitCode.NOT_FOUND)
    assert "counts any more" in run(server, "key", "revoke", "ci", "--why", "left the team")
    assert "revoked" in run(server, "key", "ls")


RULE = """
id: signer-named
title: The shop is signed by its pipeline
stages: [verify]
severity: high
owner: shop
when: input.signature.by == 'identity'
deny: |
  !(input.signature.issuer == 'https://ci.example' && input.signature.identity.startsWith('https://ci.example/shop/'))
message: "{input.signature.identity} of {input.signature.issuer} may not sign here"
"""


def attach(server: Server, token: str, image: PushedImage, content: bytes) -> None:
    """Put a sigstore bundle beside an image, as cosign does."""
    media_type = "application/vnd.dev.sigstore.bundle.v0.3+json"
    place = f"/v2/{image.repository}"
    with httpx.Client(base_url=f"http://{server.push}", auth=("shop/ci", token)) as http:
        described = []
        for blob, kind in ((b"{}", "application/vnd.oci.empty.v1+json"), (content, media_type)):
            digest = digest_of(blob)
            started = http.post(f"{place}/blobs/uploads/")
            assert http.put(started.headers["Location"], params={"digest": digest}, content=blob).status_code == 201
            described.append({"mediaType": kind, "digest": digest, "size": len(blob)})
        manifest = http.get(f"{place}/manifests/{image.digest}", headers={"Accept": OCI_MANIFEST}).content
        body = {
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": media_type, "config": described[0],
            "layers": [described[1]],
            "subject": {"mediaType": OCI_MANIFEST, "digest": image.digest, "size": len(manifest)},
        }  # fmt: skip
        raw = json.dumps(body).encode()
        put = http.put(f"{place}/manifests/{digest_of(raw)}", content=raw, headers={"Content-Type": OCI_MANIFEST})
        assert put.status_code == 201, put.text


def test_a_pipeline_signs_by_its_identity_where_a_rule_names_it(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    instance = SigstoreInstance(datetime.now(UTC))
    rules = tmp_path / "rules"
    shutil.copytree(DEFAULT_PACK, rules)
    default = (rules / "signatures.yaml").read_text().partition("---\nid: signer-named")[0]
    (rules / "signatures.yaml").write_text(f"{default}---{RULE}")
    server = new_server(
        home=tmp_path, LADING_TRUSTED_ROOT=str(instance.trusted_root(tmp_path / "root.json")), LADING_POLICY=str(rules)
    )
    server.start()
    server.client.post("/api/v1/teams", {"team": "shop"})
    token = server.client.post("/api/v1/teams/shop/robots", {"name": "ci"})["token"]
    pusher = Pusher(server.push, "shop/ci", token)
    image = pusher.push("shop/web", "1")
    pusher.close()
    about = Digest.parse(image.digest)
    signed = Statement((("shop/web", about),), SIGNATURE, {}).encode()

    attach(server, token, image, instance.state(signed, "https://ci.example/mail/release", "https://ci.example"))
    assert "may not sign here" in run(server, "image", "verify", "shop/web:1", "-o", "json", code=9)
    attach(server, token, image, instance.state(signed, "https://ci.example/shop/release", "https://ci.example"))
    # The same without a server: from any registry, by keys and identities that are given.
    login = {"auths": {server.push: {"auth": base64.b64encode(f"shop/ci:{token}".encode()).decode()}}}
    (tmp_path / "config.json").write_text(json.dumps(login))
    server.environment["DOCKER_CONFIG"] = str(tmp_path)
    place = f"{server.push}/shop/web:1"
    root = ("--trusted-root", str(tmp_path / "root.json"), "--plain-http")
    shop = ("--identity", "https://ci.example/shop/*", "--issuer", "https://ci.example")
    told = json.loads(run(server, "verify", place, *root, *shop, "-o", "json"))
    assert (told["passed"], [row["signer"] for row in told["found"] if row["holds"]]) == (
        True,
        ["https://ci.example/shop/release"],
    )
    assert "whom nobody named" in run(server, "verify", place, *root, code=9)
    run(server, "verify", place, *root, "--identity", "*", "--issuer", "https://other.example", code=9)
    run(server, "verify", place, *root, "--policy", str(rules))
    run(server, "verify", place, "--plain-http", code=ExitCode.USAGE)
    run(server, "verify", f"{server.push}/shop/none:1", *root, *shop, code=ExitCode.NOT_FOUND)
    with serving(instance) as sigstore:
        (tmp_path / "token").write_text(sigstore.token("https://ci.example/shop/nightly", "https://ci.example") + "\n")
        (tmp_path / "scan.json").write_text('{"scanner": {"uri": "pkg:generic/own"}}')
        config = str(sigstore.trust_config(tmp_path))
        by = ("--trust-config", config, "--identity-token-file", str(tmp_path / "token"), "--plain-http")
        stated = ("--type", "urn:shop:scan", "--predicate", str(tmp_path / "scan.json"))
        assert "signed" in run(server, "sign", place, *by, *stated)
        run(server, "sign", place, *by, "--type", "urn:shop:scan", code=ExitCode.USAGE)
        run(server, "sign", f"{server.push}/shop/none:1", *by, code=ExitCode.NOT_FOUND)
        sigstore.refuses = "signingCert"
        assert "could not sign" in run(server, "sign", place, *by, code=ExitCode.FAILED)
    run(server, "verify", place, *root, *shop, "--type", "urn:shop:scan")
    stated_here = json.loads(run(server, "image", "verify", "shop/web:1", "-o", "json"))
    assert [(row["signer"], row["holds"]) for row in stated_here if row["predicate_type"] == "urn:shop:scan"] == [
        ("https://ci.example/shop/nightly", True)
    ]
    held = [row for row in stated_here if row["holds"] and row["what"] == "signature"]
    assert [(row["what"], row["signer"], row["issuer"]) for row in held] == [
        ("signature", "https://ci.example/shop/release", "https://ci.example")
    ]
