"""Both registry endpoints within the process, over memory: what they answer, without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from lading.entrypoints.registry.pull import pull_app
from lading.entrypoints.registry.push import push_app
from lading.facts import Ledger
from lading.kernel.clock import ManualClock
from lading.kernel.digest import Digest
from lading.state import Database
from lading.supply_chain.registry.access import FixedAuthenticator, Visibility
from lading.supply_chain.registry.blobs import MemoryBlobs
from lading.supply_chain.registry.manifest import EMPTY_CONFIG, OCI_INDEX, OCI_MANIFEST
from lading.supply_chain.registry.registry import Registry
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.states import ImageStates, State
from lading.supply_chain.registry.visibility import Visibilities

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
NOTE = "application/vnd.example.note"
VISITORS = {"shop": ("lad_shop", "shop"), "mail": ("lad_mail", "mail")}


def descriptor(media_type: str, content: bytes, algorithm: str = "sha256", **more: Any) -> dict[str, Any]:
    digest = Digest.of(content, algorithm)
    return {"mediaType": media_type, "digest": str(digest), "size": len(content), **more}


@dataclass
class Noted:
    """The notes of a pull endpoint, kept in memory."""

    refusals: list[str] = field(default_factory=list)
    pulls: list[str] = field(default_factory=list)

    def refused(self, digest: str, repository: str, principal: str, reason: str) -> None:
        self.refusals.append(reason)

    def pulled(self, repository: str, digest: str) -> None:
        self.pulls.append(digest)


class Client:
    """Asks an application within the process, one request after the other."""

    def __init__(self, app: Any, team: str, portal: BlockingPortal) -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://wire", auth=(team, f"lad_{team}"))
        self._portal = portal

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._portal.call(partial(self._client.request, method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def head(self, path: str, **more: Any) -> httpx.Response:
        return self.request("HEAD", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def put(self, path: str, **more: Any) -> httpx.Response:
        return self.request("PUT", path, **more)

    def patch(self, path: str, **more: Any) -> httpx.Response:
        return self.request("PATCH", path, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.request("DELETE", path, **more)


@dataclass
class Wire:
    """Two endpoints over one registry, and what a test does behind their backs."""

    push: Client
    other: Client
    pull: Client
    hasty: Client
    registry: Registry
    database: Database
    states: ImageStates
    clock: ManualClock

    def blob(self, content: bytes, repository: str = "shop/web", algorithm: str = "sha256") -> Digest:
        digest = Digest.of(content, algorithm)
        answer = self.push.post(f"/v2/{repository}/blobs/uploads/?digest={digest}", content=content)
        assert answer.status_code == 201, answer.text
        return digest

    def put(
        self, body: bytes, reference: str = "", kind: str = OCI_MANIFEST, repository: str = "shop/web", **more: Any
    ) -> Any:
        reference = reference or str(Digest.of(body))
        headers = {"Content-Type": kind, **more.pop("headers", {})}
        path = f"/v2/{repository}/manifests/{reference}"
        return self.push.put(path, content=body, headers=headers, **more)

    def image(self, text: str = "hello", reference: str = "", repository: str = "shop/web", **more: Any) -> Digest:
        """Push an image of one layer."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "text": text}).encode()
        for content in (config, text.encode()):
            self.blob(content, repository)
        layers = [descriptor(LAYER, text.encode())]
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(CONFIG, config),
            "layers": layers,
        }
        answer = self.put(json.dumps(document | more).encode(), reference, repository=repository)
        assert answer.status_code == 201, answer.text
        return Digest.parse(answer.headers["docker-content-digest"])

    def note(
        self, subject: Digest, text: str = "note", *, kind: str = NOTE, repository: str = "shop/web", **more: Any
    ) -> Digest:
        """Push an artifact that refers to a manifest."""
        for content in (b"{}", text.encode()):
            self.blob(content, repository)
        document = {
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(EMPTY_CONFIG, b"{}"),
            "layers": [descriptor("text/plain", text.encode())],
            "subject": {"mediaType": OCI_MANIFEST, "digest": str(subject), "size": 7}, **({"artifactType": kind} if kind else {}),
        }  # fmt: skip
        answer = self.put(json.dumps(document | more).encode(), repository=repository)
        assert (answer.status_code, answer.headers["oci-subject"]) == (201, str(subject)), answer.text
        return Digest.parse(answer.headers["docker-content-digest"])

    def index(self, *members: Digest, reference: str = "", kinds: str = OCI_MANIFEST, **more: Any) -> Digest:
        entries = [
            {"mediaType": kinds, "digest": str(one), "size": len(self.registry.manifest(one))} for one in members
        ]
        body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, **more}).encode()
        answer = self.put(body, reference, OCI_INDEX)
        assert answer.status_code == 201, answer.text
        return Digest.parse(answer.headers["docker-content-digest"])

    def approve(self, *digests: Digest, until: datetime | None = None, decision: str = "") -> None:
        for digest in digests:
            with self.database.write() as tx:
                self.states.move(
                    tx, digest, State.APPROVED, who="person:ada", why="good", until=until, decision=decision
                )

    def hide(self, repository: str) -> None:
        Visibilities(self.database, Ledger(self.clock)).change(repository, Visibility.PRIVATE, actor="person:ada")


@pytest.fixture
def wire(database: Database, ledger: Ledger, clock: ManualClock) -> Iterator[Wire]:
    states, authenticator = ImageStates(database, ledger, clock), FixedAuthenticator(VISITORS)
    registry = Registry(database, ledger, MemoryBlobs(), states, clock)
    push = push_app(registry, authenticator)
    pull = pull_app(Serving(database, registry, states), authenticator, Noted())
    hasty = push_app(registry, authenticator, patience=0.05)
    apps = ((push, "shop"), (push, "mail"), (pull, "shop"), (hasty, "shop"))
    with start_blocking_portal() as portal:
        clients = [Client(app, team, portal) for app, team in apps]
        yield Wire(*clients, registry, database, states, clock)


def code(answer: Any) -> str:
    """The code of an error, whose body must be as the specification has it."""
    errors = answer.json()["errors"]
    assert errors and all(set(one) <= {"code", "message", "detail"} for one in errors)
    return str(errors[0]["code"])
