"""Who may what, as docs/registry.md says: every role, operation and visibility, at both endpoints and the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from integration.access.conftest import ACTOR, Doors
from lading.entrypoints.api.app import api_app
from lading.identity import EVERY_TEAM, Role
from lading.kernel.digest import Digest

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "registry.md"
VISIBILITIES: Final = ("private", "internal", "public")
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
SCOPES: Final = {"pull": "pull", "push": "pull,push", "delete": "delete"}
# What a refusal is called, so that one that is due to something else does not pass for it.
CODES: Final = {401: "UNAUTHORIZED", 403: "DENIED", 404: "NAME_UNKNOWN"}


def written() -> dict[str, dict[str, tuple[str, ...]]]:
    """The table of the document: who -> operation -> answer for each visibility."""
    section = DOCUMENT.read_text(encoding="utf-8").partition("## Who may what")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")
    ]
    head, body = rows[0], rows[2:]
    return {
        row[0]: {
            operation: tuple(cell.split()) if " " in cell else (cell,) * 3
            for operation, cell in zip(head[1:], row[1:], strict=True)
        }
        for row in body
    }


People = Callable[[str, str], tuple[str, str] | None]
TABLE: Final = written()
# Team of the grant, role, pattern. The repositories are those of team `shop`, below `shop/`.
GRANTS: Final[dict[str, tuple[str, Role, str] | None]] = {
    "somebody without a role": None,
    "viewer of another team": ("mail", Role.VIEWER, ""),
    "admin of another team": ("mail", Role.ADMIN, ""),
    **{str(role): ("shop", role, "") for role in Role},
    "admin of every team": (EVERY_TEAM, Role.ADMIN, ""),
    "developer for a pattern that matches": ("shop", Role.DEVELOPER, "shop/p*"),
    "admin for a pattern that matches": ("shop", Role.ADMIN, "*/p*"),
    "admin for another pattern": ("shop", Role.ADMIN, "shop/other*"),
}
PEOPLE_ONLY: Final = {"somebody without a role", "admin of every team"}
WHO: Final = [
    (who, kind)
    for who in GRANTS
    for kind in ("person", "robot")
    if kind == "person" or who not in PEOPLE_ONLY
] + [("nobody", "nobody")]  # fmt: skip


@dataclass(frozen=True)
class Images:
    """A repository for each visibility with an image to pull, and one whose state may be changed."""

    repositories: dict[str, str]
    digests: dict[str, Digest]
    blobs: dict[str, str]
    changed: dict[str, str]
    admin: tuple[str, str]


@pytest.fixture(scope="module")
def images(doors: Doors) -> Images:
    repositories = {visibility: f"shop/p-{visibility}" for visibility in VISIBILITIES}
    digests = {visibility: doors.publish(name, visibility) for visibility, name in repositories.items()}
    changed = {
        visibility: f"{name}@{doors.publish(name, visibility, tag='2')}" for visibility, name in repositories.items()
    }
    blobs = {}
    admin = doors.robot("shop", "all", Role.ADMIN)
    with doors.client(admin) as client:
        for visibility, name in repositories.items():
            found = client.get(f"/v2/{name}/manifests/1", headers={"Accept": MANIFEST}).json()
            blobs[visibility] = found["layers"][0]["digest"]
    return Images(repositories, digests, blobs, changed, admin)


@pytest.fixture(scope="module")
def api(doors: Doors) -> Iterator[Callable[..., httpx.Response]]:
    app = api_app(doors.wiring)
    with asyncio.Runner() as runner:
        transport = httpx.ASGITransport(app)
        client = httpx.AsyncClient(transport=transport, base_url="http://api")

        def call(method: str, path: str, token: str, body: dict[str, Any] | None = None) -> httpx.Response:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return runner.run(client.request(method, path, headers=headers, json=body))

        yield call
        runner.run(client.aclose())


def principal(doors: Doors, who: str, kind: str) -> tuple[str, str] | None:
    """Somebody of that kind with that role; None for nobody."""
    if who == "nobody":
        return None
    identity, grant = doors.wiring.identity, GRANTS[who]
    name = who.replace(" ", "-")
    if kind == "robot":
        assert grant is not None
        team, role, pattern = grant
        issued = identity.create_robot(team, name, role=role, actor=ACTOR)
        if pattern:
            identity.withdraw(issued.principal, team, role, actor=ACTOR)
            identity.grant(issued.principal, team, role, repositories=pattern, actor=ACTOR)
        return issued.principal.removeprefix("robot:"), issued.text
    person = identity.create_person(name, actor=ACTOR)
    if grant is not None:
        team, role, pattern = grant
        identity.grant(person, team, role, repositories=pattern, actor=ACTOR)
    return name, identity.issue_token(person, purpose="matrix", actor=ACTOR).text


@pytest.fixture(scope="module")
def people(doors: Doors) -> People:
    """The same somebody in every test."""
    made: dict[tuple[str, str], tuple[str, str] | None] = {}

    def known(who: str, kind: str) -> tuple[str, str] | None:
        if (who, kind) not in made:
            made[who, kind] = principal(doors, who, kind)
        return made[who, kind]

    return known


def answered(response: httpx.Response, allowed: tuple[int, ...] = (200,)) -> str:
    """`yes`, or the status of a refusal."""
    if response.status_code in allowed:
        return "yes"
    if response.request.method != "HEAD" and "/api/" not in response.request.url.path:
        assert response.json()["errors"][0]["code"] == CODES[response.status_code], response.text
    return str(response.status_code)


def pulled(client: httpx.Client, name: str, digest: Digest, blob: str, headers: dict[str, str]) -> set[str]:
    """The answers to everything that is a pull."""
    accept = headers | {"Accept": MANIFEST}
    return {
        answered(client.get(f"/v2/{name}/manifests/1", headers=accept)),
        answered(client.get(f"/v2/{name}/manifests/{digest}", headers=accept)),
        answered(client.head(f"/v2/{name}/manifests/1", headers=accept)),
        answered(client.get(f"/v2/{name}/blobs/{blob}", headers=headers)),
        answered(client.get(f"/v2/{name}/tags/list", headers=headers)),
        *listed(client.get(f"/v2/{name}/referrers/{digest}", headers=headers)),
    }


def listed(response: httpx.Response) -> set[str]:
    """Referrers of what must not be known are none, with no other answer: they say nothing about who may."""
    if response.status_code == 200:
        assert response.json()["manifests"] == []
        return set()
    return {answered(response)}


@pytest.mark.parametrize("by", ["Basic", "token"])
@pytest.mark.parametrize(("who", "kind"), WHO)
def test_the_registry_does_as_the_table_says(
    doors: Doors, images: Images, people: People, who: str, kind: str, by: str
) -> None:
    auth = people(who, kind)
    found: dict[str, list[str]] = {"pull": [], "push": [], "delete": []}
    with doors.client() as push, doors.client(pull=True) as pull, doors.client(images.admin) as admin:
        for visibility in VISIBILITIES:
            name, digest = images.repositories[visibility], images.digests[visibility]

            def headers(operation: str, client: httpx.Client, name: str = name) -> dict[str, str]:
                if by == "Basic":
                    return {} if auth is None else {"Authorization": httpx.BasicAuth(*auth)._auth_header}
                scope = f"repository:{name}:{SCOPES[operation]}"
                return {"Authorization": f"Bearer {doors.token(auth, scope, pull=client is pull)}"}

            answers = set()
            for client in (push, pull):
                answers |= pulled(client, name, digest, images.blobs[visibility], headers("pull", client))
            found["pull"].append("/".join(sorted(answers)))

            may = headers("push", push)
            body = admin.get(f"/v2/{name}/manifests/1", headers={"Accept": MANIFEST}).content
            answers = {
                answered(push.post(f"/v2/{name}/blobs/uploads/", headers=may), (202,)),
                answered(
                    push.put(f"/v2/{name}/manifests/new", content=body, headers=may | {"Content-Type": MANIFEST}),
                    (201,),
                ),
            }
            found["push"].append("/".join(sorted(answers)))

            admin.put(f"/v2/{name}/manifests/doomed", content=body, headers={"Content-Type": MANIFEST})
            gone = push.delete(f"/v2/{name}/manifests/doomed", headers=headers("delete", push))
            found["delete"].append(answered(gone, (202,)))
            assert pull.delete(f"/v2/{name}/manifests/1", headers=headers("delete", pull)).status_code == 405
    assert {operation: tuple(answers) for operation, answers in found.items()} == {
        operation: TABLE[who][operation] for operation in found
    }


@pytest.mark.parametrize(("who", "kind"), WHO)
def test_the_api_does_as_the_table_says(
    images: Images, api: Callable[..., httpx.Response], people: People, who: str, kind: str
) -> None:
    auth = people(who, kind)
    token = auth[1] if auth else ""
    why = {"why": "the table says so"}
    found: dict[str, list[str]] = {"read": [], "approve": [], "revoke": [], "set visibility": []}
    for visibility in VISIBILITIES:
        name, changed = images.repositories[visibility], images.changed[visibility]
        # Revoked is the end of an image: from then on whoever may is told that it is one.
        found["read"].append(answered(api("GET", f"/api/v1/images/{name}:1", token)))
        found["approve"].append(answered(api("POST", f"/api/v1/images/{changed}/approve", token, why), (200, 409)))
        found["revoke"].append(answered(api("POST", f"/api/v1/images/{changed}/revoke", token, why), (200, 409)))
        body = {"visibility": visibility}
        found["set visibility"].append(answered(api("POST", f"/api/v1/repositories/{name}/visibility", token, body)))
    assert {operation: tuple(answers) for operation, answers in found.items()} == {
        operation: TABLE[who][operation] for operation in found
    }


def test_the_table_has_a_row_for_every_role() -> None:
    assert set(TABLE) == set(GRANTS) | {"nobody"}
    assert {str(role) for role in Role} < set(TABLE)
