"""Every refused call and every change at both endpoints and the API is a fact: who, what, from where, when."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from integration.access.conftest import ACTOR, Doors
from lading.entrypoints.api.app import api_app
from lading.facts.kinds.identity import AccessRefused, AccessUsed
from lading.identity import EVERY_TEAM, Role
from lading.kernel.digest import Digest
from lading.supply_chain.registry.taking_in import take_in
from pushing import Pusher

HERE = "127.0.0.1"


class Record:
    """The facts about calls that came in since the last look."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._after = 0
        self.new()

    def new(self) -> list[AccessRefused | AccessUsed]:
        wiring = self._doors.wiring
        take_in(wiring.spool, wiring.database, wiring.ledger)
        with wiring.database.read() as tx:
            entries = list(wiring.ledger.read(tx, after=self._after))
        if entries:
            self._after = entries[-1].seq
        return [entry.fact for entry in entries if isinstance(entry.fact, AccessRefused | AccessUsed)]

    def refused(self) -> list[tuple[str, str, str, str, int]]:
        found = [fact for fact in self.new() if isinstance(fact, AccessRefused)]
        assert all(fact.address == HERE and fact.first for fact in found)
        return [(fact.door, fact.principal, fact.operation, fact.target, fact.status) for fact in found]

    def used(self) -> list[tuple[str, str, str, str]]:
        found = [fact for fact in self.new() if isinstance(fact, AccessUsed)]
        assert all(fact.address == HERE and fact.moment and fact.token_id for fact in found)
        return [(fact.door, fact.principal, fact.operation, fact.target) for fact in found]


@pytest.fixture(scope="module", autouse=True)
def images(doors: Doors) -> None:
    doors.publish("shop/web", "private")


@pytest.fixture
def record(doors: Doors) -> Record:
    return Record(doors)


def test_every_change_at_the_push_endpoint_is_a_fact(doors: Doors, record: Record) -> None:
    robot = doors.robot("shop", "pusher", Role.ADMIN)
    pusher = Pusher(doors.push, *robot)
    image = pusher.push("shop/made", "1", layers=1, size=100)
    pusher.close()
    who = "robot:shop/pusher"
    config, layer = image.blobs
    assert record.used() == [
        ("push", who, "push blob", f"shop/made@{layer}"),
        ("push", who, "push blob", f"shop/made@{config}"),
        ("push", who, "push manifest", "shop/made:1"),
    ]
    free = b"a blob that no manifest names"
    with doors.client(robot) as client:
        client.post(f"/v2/shop/made/blobs/uploads/?digest={Digest.of(free)}", content=free)
        mount = {"mount": str(Digest.of(free)), "from": "shop/made"}
        assert client.post("/v2/shop/other/blobs/uploads/", params=mount).status_code == 201
        for path in ("blobs/" + str(Digest.of(free)), "manifests/1", f"manifests/{image.digest}"):
            assert client.delete(f"/v2/shop/made/{path}").status_code == 202
        client.post("/v2/shop/made/blobs/uploads/")
        client.get("/v2/shop/made/tags/list")
    assert record.used() == [
        ("push", who, "push blob", f"shop/made@{Digest.of(free)}"),
        ("push", who, "mount blob", f"shop/other@{Digest.of(free)}"),
        ("push", who, "delete blob", f"shop/made@{Digest.of(free)}"),
        ("push", who, "delete tag", "shop/made:1"),
        ("push", who, "delete manifest", f"shop/made@{image.digest}"),
    ]


@pytest.mark.parametrize("pull", [False, True])
def test_every_refusal_at_both_endpoints_is_a_fact_and_a_flood_is_one(doors: Doors, record: Record, pull: bool) -> None:
    door = "pull" if pull else "push"
    stranger = doors.robot("mail", f"stranger-{door}")
    who, path = f"robot:mail/stranger-{door}", "/v2/shop/web/manifests/1"
    narrow = {"Authorization": f"Bearer {doors.token(stranger, 'repository:mail/x:pull', pull=pull)}"}
    with doors.client(pull=pull) as client:
        assert client.get("/v2/").status_code == 401
        assert record.refused() == []
        for _ in range(50):
            assert client.get(path, auth=stranger).status_code == 404
        assert client.get(path).status_code == 401
        assert client.get(path, auth=("ada", "lad_wrong")).status_code == 401
        assert client.get(path, auth=("hunter2 !", "lad_wrong")).status_code == 401
        assert client.get("/v2/token", auth=(stranger[0], "x")).status_code == 401
        form = {"grant_type": "password", "username": "eve", "password": "x"}
        assert client.post("/v2/token", data=form).status_code == 401
        assert client.get(path, headers=narrow).status_code == 401
    assert record.refused() == [
        (door, who, "pull", "shop/web", 404),
        (door, "anonymous", "pull", "shop/web", 401),
        (door, "anonymous", "log in", "ada", 401),
        (door, "anonymous", "log in", "shop/web", 401),
        (door, "anonymous", "log in", stranger[0], 401),
        (door, "anonymous", "log in", "eve", 401),
        (door, who, "pull", "shop/web", 401),
    ]


def test_a_refused_change_is_a_fact(doors: Doors, record: Record) -> None:
    stranger, viewer = doors.robot("mail", "pushing"), doors.robot("shop", "looking", Role.VIEWER)
    with doors.client() as client:
        for auth in (stranger, viewer):
            assert client.post("/v2/shop/web/blobs/uploads/", auth=auth).status_code == 403
            assert client.delete("/v2/shop/web/manifests/1", auth=auth).status_code == 403
    assert record.refused() == [
        ("push", f"robot:{robot}", operation, "shop/web", 403)
        for robot in ("mail/pushing", "shop/looking")
        for operation in ("push", "delete")
    ]


def key_of(token: str) -> str:
    head = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


@pytest.fixture
def api(doors: Doors) -> Iterator[Any]:
    app = api_app(doors.wiring)

    def call(method: str, path: str, token: str = "", **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app, client=(HERE, 1))
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(ask())

    yield call


def test_calls_of_the_api_are_facts_as_well(doors: Doors, record: Record, api: Any) -> None:
    identity = doors.wiring.identity
    admin, stranger = doors.robot("shop", "boss", Role.ADMIN)[1], doors.robot("mail", "guest", Role.VIEWER)[1]
    image = str(doors.wiring.registry.resolve("shop/web", "1").digest)
    record.new()
    assert (
        api("POST", "/api/v1/repositories/shop/web/visibility", admin, json={"visibility": "private"}).status_code
        == 200
    )
    assert api("GET", "/api/v1/repositories", admin).status_code == 200
    assert record.used() == [("api", "robot:shop/boss", "POST", "/api/v1/repositories/shop/web/visibility")]
    chief = identity.create_person("chief", actor=ACTOR)
    identity.grant(chief, EVERY_TEAM, Role.ADMIN, actor=ACTOR)
    token = identity.issue_token(chief, purpose="test", actor=ACTOR).text
    assert api("POST", "/api/v1/token-keys", admin, json={"minutes": 0}).status_code == 403
    before = doors.token(("boss", admin), "repository:shop/web:pull")
    made = api("POST", "/api/v1/token-keys", token, json={"minutes": 0})
    assert made.status_code == 201, made.text
    record.new()
    time.sleep(1.1)
    for pull in (False, True):
        with doors.client(pull=pull) as client:
            for text in (before, doors.token(("boss", admin), "repository:shop/web:pull", pull=not pull)):
                headers = {"Authorization": f"Bearer {text}"}
                assert client.get("/v2/shop/web/tags/list", headers=headers).status_code == 200
    assert key_of(text) == made.json()["key"] != key_of(before)
    for _ in range(3):
        assert api("GET", f"/api/v1/images/{image}", stranger).status_code == 404
    assert (
        api("POST", "/api/v1/repositories/shop/web/visibility", stranger, json={"visibility": "public"}).status_code
        == 404
    )
    assert api("POST", "/api/v1/teams", stranger, json={"team": "mine"}).status_code == 403
    assert api("GET", "/api/v1/repositories", "lad_wrong").status_code == 401
    assert api("POST", "/login?to=/", data={"token": "lad_wrong"}).status_code in (401, 403)
    assert record.refused() == [
        ("api", "robot:mail/guest", "pull", "shop/web", 404),
        ("api", "robot:mail/guest", "admin", "team:*", 403),
        ("api", "anonymous", "log in", "/api/v1/repositories", 401),
        ("api", "anonymous", "log in", "/login", 403),
    ]
    identity.flush()
    (counted,) = record.new()
    assert isinstance(counted, AccessRefused)
    assert (counted.target, counted.times) == ("shop/web", 3)


def test_an_admin_sees_who_there_is_and_lets_nothing_prove_them_any_more(doors: Doors, api: Any) -> None:
    identity = doors.wiring.identity
    root = identity.create_person("root", actor=ACTOR)
    identity.grant(root, EVERY_TEAM, Role.ADMIN, actor=ACTOR)
    token = identity.issue_token(root, purpose="test", actor=ACTOR).text
    leaving, boss = doors.robot("shop", "leaving"), doors.robot("mail", "chief", Role.ADMIN)[1]
    listed = {row["principal"]: row for row in api("GET", "/api/v1/principals", token).json()}
    assert listed["robot:shop/leaving"]["roles"] == [["shop", "developer", ""]]
    assert all(
        name.startswith("robot:mail/")
        for name in (row["principal"] for row in api("GET", "/api/v1/principals", boss).json())
    )
    assert api("POST", "/api/v1/principals/robot:shop/leaving/disable", boss).status_code == 403
    bearer = {"Authorization": f"Bearer {doors.token(leaving, 'repository:shop/web:pull')}"}
    assert api("POST", "/api/v1/principals/robot:shop/leaving/disable", token).status_code == 200
    basic = {"Authorization": "Basic " + base64.b64encode(":".join(leaving).encode()).decode()}
    deadline = time.monotonic() + 10
    with doors.client() as client:
        for proof in (bearer, basic):
            while client.get("/v2/shop/web/tags/list", headers=proof).status_code != 401:
                assert time.monotonic() < deadline
                time.sleep(0.1)


def test_who_asks_too_often_is_told_so_by_the_endpoint_itself(tmp_path: Any) -> None:
    doors = Doors(tmp_path, principal_calls="10", anonymous_pull="true")
    doors.wiring.identity.create_team("shop", actor=ACTOR)
    try:
        doors.open()
        record = Record(doors)
        robot = doors.robot("shop", "eager")
        with doors.client(robot, pull=True) as client:
            answers = [client.get("/v2/shop/none/tags/list") for _ in range(12)]
            assert [answer.status_code for answer in answers[:10]] == [404] * 10
            assert answers[1].headers["ratelimit-limit"] == "10;w=60"
            assert answers[11].status_code == 429
            assert int(answers[11].headers["retry-after"]) >= 1
        with doors.client(doors.robot("shop", "other"), pull=True) as client:
            assert client.get("/v2/").status_code == 200
        assert [fact for fact in record.refused() if fact[4] == 429] == [
            ("pull", "robot:shop/eager", "call", "more often than it may", 429)
        ]
    finally:
        doors.close()
