"""The token flow over real HTTP, at both endpoints: challenge, token, use, and everything that ends it."""

from __future__ import annotations

import base64
import json
import re
import time
from typing import Any

import httpx
import pytest

from integration.access.conftest import ACTOR, PASSWORD, Doors
from lading.identity import Operation, Role
from lading.kernel.digest import Digest
from lading.supply_chain.registry.client import RemoteRegistry
from lading.wiring.access import IdentityAuthenticator

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def robot(doors: Doors) -> tuple[str, str]:
    return doors.robot("shop", "ci")


@pytest.fixture(scope="module", autouse=True)
def images(doors: Doors) -> None:
    doors.publish("shop/web", "private")
    doors.publish("shop/shown", "public")
    doors.publish("mail/web", "private")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": MANIFEST}


def access_of(token: str) -> list[dict[str, Any]]:
    part = token.split(".")[1]
    found: list[dict[str, Any]] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["access"]
    return found


@pytest.mark.parametrize("pull", [False, True])
def test_a_client_follows_the_challenge_to_a_token_and_comes_in(
    doors: Doors, robot: tuple[str, str], pull: bool
) -> None:
    with doors.client(pull=pull) as client:
        path = "/v2/shop/web/manifests/1"
        refused = client.get(path, headers={"Accept": MANIFEST})
        challenge = refused.headers["www-authenticate"]
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        assert (refused.status_code, challenge.split()[0]) == (401, "Bearer")
        assert fields["scope"] == "repository:shop/web:pull"
        asked = {"service": fields["service"], "scope": fields["scope"], "account": robot[0]}
        answer = client.get(fields["realm"], params=asked, auth=robot)
        assert answer.headers["cache-control"] == "no-store"
        found = answer.json()
        assert found["token"] == found["access_token"]
        assert found["expires_in"] == 300
        assert client.get(path, headers=bearer(found["token"])).status_code == 200
        assert client.get(path, headers={"Accept": MANIFEST}, auth=robot).status_code == 200


def test_a_token_of_one_endpoint_is_good_at_the_other(doors: Doors, robot: tuple[str, str]) -> None:
    for issuer in (False, True):
        token = doors.token(robot, "repository:shop/web:pull", pull=issuer)
        with doors.client(pull=not issuer) as client:
            assert client.get("/v2/shop/web/manifests/1", headers=bearer(token)).status_code == 200


def test_a_token_holds_what_was_asked_and_may_be_had_and_no_more(doors: Doors, robot: tuple[str, str]) -> None:
    token = doors.token(robot, "repository:shop/web:pull,push,delete repository:mail/web:pull", "registry:catalog:*")
    assert access_of(token) == [
        {"type": "repository", "name": "mail/web", "actions": []},
        {"type": "repository", "name": "shop/web", "actions": ["pull", "push"]},
        {"type": "registry", "name": "catalog", "actions": ["*"]},
    ]
    with doors.client() as client:
        assert client.get("/v2/_catalog", headers=bearer(token)).json()["repositories"] == ["shop/shown", "shop/web"]
        assert client.post("/v2/shop/web/blobs/uploads/", headers=bearer(token)).status_code == 202
        assert client.get("/v2/mail/web/tags/list", headers=bearer(token)).status_code == 404
        lesser = doors.token(robot, "repository:shop/web:pull")
        for method, path in (("POST", "/v2/shop/web/blobs/uploads/"), ("GET", "/v2/shop/shown/tags/list")):
            answer = client.request(method, path, headers=bearer(lesser))
            assert answer.status_code == 401
            assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        assert client.get("/v2/_catalog", headers=bearer(lesser)).status_code == 401


def test_the_form_of_oauth_gives_the_same(doors: Doors, robot: tuple[str, str]) -> None:
    doors.wiring.identity.create_person("ada", PASSWORD, actor=ACTOR)
    doors.wiring.identity.grant("person:ada", "shop", Role.VIEWER, actor=ACTOR)
    asked = {"service": "lading-main", "client_id": "test", "scope": "repository:shop/web:pull,push"}
    for pull in (False, True):
        with doors.client(pull=pull) as client:
            for proof, scope in (
                ({"grant_type": "password", "username": robot[0], "password": robot[1]}, "pull,push"),
                ({"grant_type": "refresh_token", "refresh_token": robot[1]}, "pull,push"),
                ({"grant_type": "password", "username": "ada", "password": PASSWORD}, "pull"),
            ):
                answer = client.post("/v2/token", data=asked | proof)
                assert answer.status_code == 200, answer.text
                assert answer.json()["scope"] == f"repository:shop/web:{scope}"
                token = answer.json()["access_token"]
                assert client.get("/v2/shop/web/tags/list", headers=bearer(token)).status_code == 200


def test_nobody_gets_a_token_for_public_repositories_and_nothing_else(doors: Doors) -> None:
    scopes = "repository:shop/shown:pull,push repository:shop/web:pull registry:catalog:*"
    token = doors.token(None, scopes, pull=True)
    assert [(one["name"], one["actions"]) for one in access_of(token)] == [("shop/shown", ["pull"]), ("shop/web", [])]
    with doors.client(pull=True) as client:
        assert client.get("/v2/shop/shown/manifests/1", headers=bearer(token)).status_code == 200
        assert client.get("/v2/shop/web/manifests/1", headers=bearer(token)).status_code == 401
    with doors.client() as client:
        assert client.post("/v2/shop/shown/blobs/uploads/", headers=bearer(token)).status_code == 401
        assert client.get("/v2/_catalog", headers=bearer(token)).status_code == 401


def test_where_nobody_may_pull_without_an_account_their_token_is_worth_nothing(doors: Doors) -> None:
    text = doors.token(None, "repository:shop/shown:pull")
    closed = IdentityAuthenticator(doors.wiring.identity, anonymous=False, tokens=doors.wiring.tokens)
    assert closed.identify("", text) is None
    assert closed.anonymous() is None
    assert doors.wiring.authenticator.identify("", text) is not None


def test_what_a_narrowed_token_fetches_is_as_narrow(doors: Doors) -> None:
    owner = doors.robot("shop", "narrow")[0]
    only = doors.wiring.identity.issue_token("robot:shop/narrow", purpose="reading", only=[Operation.PULL], actor=ACTOR)
    token = doors.token((owner, only.text), "repository:shop/web:pull,push")
    assert access_of(token) == [{"type": "repository", "name": "shop/web", "actions": ["pull"]}]
    with doors.client() as client:
        wide = doors.token((owner, only.text), "repository:shop/new:push")
        assert client.post("/v2/shop/new/blobs/uploads/", headers=bearer(wide)).status_code == 403


def test_what_is_revoked_or_withdrawn_ends_the_tokens_that_it_fetched(doors: Doors) -> None:
    identity = doors.wiring.identity
    path = "/v2/shop/web/manifests/1"
    robot = doors.robot("shop", "leaving")
    identity.create_person("eve", PASSWORD, actor=ACTOR)
    identity.grant("person:eve", "shop", Role.VIEWER, actor=ACTOR)
    tokens = {who[0]: doors.token(who, "repository:shop/web:pull") for who in (robot, ("eve", PASSWORD))}
    with doors.client(pull=True) as pull, doors.client() as push:
        for client in (pull, push):
            assert all(client.get(path, headers=bearer(token)).status_code == 200 for token in tokens.values())
        own = next(row.id for row in identity.tokens("robot:shop/leaving"))
        identity.revoke_token(own, actor=ACTOR)
        identity.withdraw("person:eve", "shop", Role.VIEWER, actor=ACTOR)
        for client in (pull, push):
            assert until_status(client, path, tokens[robot[0]], 401)
            assert until_status(client, path, tokens["eve"], 404)
        identity.grant("person:eve", "shop", Role.VIEWER, actor=ACTOR)
        assert until_status(pull, path, tokens["eve"], 200)
        identity.set_password("eve", "another horse battery", actor=ACTOR)
        assert until_status(pull, path, tokens["eve"], 401)


def until_status(client: httpx.Client, path: str, token: str, wanted: int) -> bool:
    """Whether an answer changes to `wanted` within the time that a proof is believed (a second), with some patience."""
    deadline = time.monotonic() + 10
    while client.get(path, headers=bearer(token)).status_code != wanted:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("pull", [False, True])
def test_a_request_for_a_token_that_cannot_be_met_is_refused_in_kind(
    doors: Doors, robot: tuple[str, str], pull: bool
) -> None:
    with doors.client(pull=pull) as client:
        wrong = client.get("/v2/token", auth=(robot[0], "lad_wrong"))
        assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, 'Basic realm="lading"')
        assert client.get("/v2/token", params={"service": "other"}, auth=robot).status_code == 400
        token = doors.token(robot, "repository:shop/web:pull", pull=pull)
        assert client.get("/v2/token", headers=bearer(token)).status_code == 401
        assert client.post("/v2/token", data={"grant_type": "refresh_token", "refresh_token": token}).status_code == 401
        for content in (b"", b"grant_type=magic", b"grant_type=password&grant_type=password", b"\xff\xfe", b"a=%ff"):
            assert client.post("/v2/token", content=content, headers=FORM).status_code == 400
        assert client.post("/v2/token", content=b"grant_type=password", headers=FORM).status_code == 401
        assert client.post("/v2/token", content=b"a" * 100_000, headers=FORM).status_code in (400, 413)
        assert client.post("/v2/token", content=b"&".join([b"a=1"] * 500), headers=FORM).status_code == 400
        assert client.post("/v2/token", json={"grant_type": "password"}).status_code == 400
        for text in ("x" * 20_000, "a.b.c", token[:-6] + "AAAAAA", ".." + token):
            assert client.get("/v2/shop/web/tags/list", headers=bearer(text)).status_code == 401


def test_many_wrong_passwords_are_told_to_wait_and_robots_go_on(doors: Doors, robot: tuple[str, str]) -> None:
    doors.wiring.identity.create_person("joe", PASSWORD, actor=ACTOR)
    with doors.client() as client:
        answers = [client.get("/v2/token", auth=("joe", "wrong")) for _ in range(7)]
        assert [answer.status_code for answer in answers[:5]] == [401] * 5
        assert answers[-1].status_code == 429
        assert answers[-1].json()["errors"][0]["code"] == "TOOMANYREQUESTS"
        assert 0 < int(answers[-1].headers["retry-after"]) <= 60
        assert client.get("/v2/token", auth=robot).status_code == 200


class WithoutBasic(httpx.BaseTransport):
    """Lets Basic through to the token service only, as registries do that know nothing else."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/v2/token" and request.headers.get("authorization", "").startswith("Basic"):
            del request.headers["authorization"]
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def test_our_own_client_pushes_and_pulls_through_tokens(doors: Doors, robot: tuple[str, str]) -> None:
    remote = RemoteRegistry(f"http://{doors.push}", *robot, transport=WithoutBasic())
    found = remote.manifest("shop/web", "1")
    config = json.loads(found.body)["config"]["digest"]
    with doors.client(robot) as client:
        content = client.get(f"/v2/shop/web/blobs/{config}").content
        layer = json.loads(found.body)["layers"][0]["digest"]
        layers = client.get(f"/v2/shop/web/blobs/{layer}").content
    for blob in (content, layers):
        remote.put_blob("shop/copied", Digest.of(blob), [blob])
    assert remote.put_manifest("shop/copied", "1", found.media_type, found.body) == Digest.of(found.body)
    assert remote.manifest("shop/copied", "1").body == found.body
    remote.close()
