"""People log in at a real identity provider: in the console, on the command line, and with every answer gone wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from integration.access.conftest import ACTOR, Doors, free_port
from integration.access.oidc_process import SECRET, Browser, IdentityProvider
from lading.facts.kinds.identity import AccessRefused, AccessUsed, PrincipalCreated, RoleGranted, RoleWithdrawn
from lading.identity import Operation, Role
from lading.supply_chain.registry.access import Access

PEOPLE: dict[str, dict[str, object]] = {
    "1": {"preferred_username": "Ada@example.org", "groups": ["devs", "others"]},
    "2": {"preferred_username": "bob", "groups": []},
    "3": {"preferred_username": "carl", "groups": ["admins"]},
    "4": {"preferred_username": "local", "groups": ["devs"]},
    "5": {"groups": ["devs"]},
}


class Site:
    """A Lading whose people log in at a provider."""

    def __init__(self, directory: Path) -> None:
        port = free_port()
        (directory / "secret").write_text(SECRET + "\n")
        self.doors = Doors(
            directory,
            oidc_issuer=f"http://127.0.0.1:{port}",
            oidc_client_id="lading",
            oidc_client_secret_file=str(directory / "secret"),
            oidc_scopes="openid profile groups",
            oidc_roles="devs=shop:developer:shop/*; devs=gone:admin; admins=*:admin",
        )
        self.url = f"http://{self.doors.api}"
        self.provider = IdentityProvider(port, f"{self.url}/login/oidc/back", PEOPLE)
        self.identity = self.doors.wiring.identity
        self.identity.create_team("shop", actor=ACTOR)
        self.identity.create_person("local", actor=ACTOR)

    def visitor(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, verify=False)

    def answer(self, client: httpx.Client, who: str, change: tuple[str, str] = ("", "")) -> str:
        """Begin a login with a browser, and log in at the provider; the address that it comes back to.

        `change` is a part of the address that the browser is sent to, and what stands there instead.
        """
        begun = client.get("/login/oidc", params={"to": "/images"})
        assert begun.status_code == 303, begun.text
        url = re.sub(*change, begun.headers["location"]) if change[0] else begun.headers["location"]
        browser = Browser(self.provider)
        came = browser.log_in(url, who)
        browser.close()
        return came

    def facts(self) -> list[object]:
        with self.doors.wiring.database.read() as tx:
            return [entry.fact for entry in self.doors.wiring.ledger.read(tx)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    made.provider.start()
    made.doors.open("api")
    yield made
    made.doors.close()
    made.provider.stop()


def refused(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert "lading_session" not in answer.cookies


def test_somebody_new_logs_in_to_the_console_and_is_somebody_by_their_groups(site: Site) -> None:
    with site.visitor() as client:
        assert site.provider.issuer.partition("://")[2] in client.get("/login").text
        came = site.answer(client, "1")
        welcome = client.get(came)
        assert welcome.status_code == 200, welcome.text
        assert 'content="0;url=/images"' in welcome.text
        assert client.get("/images").status_code == 200
        facts = site.facts()
        assert PrincipalCreated(principal="person:ada", kind_of="person") in facts
        assert RoleGranted(principal="person:ada", team="shop", role="developer", repositories="shop/*") in facts
        used = [fact for fact in facts if isinstance(fact, AccessUsed)]
        assert [(fact.principal, fact.operation, fact.target, fact.door, fact.address) for fact in used] == [
            ("person:ada", "log in", "console", "api", "127.0.0.1")
        ]
        # The same answer once more: the cookie is spent, and the code as well.
        refused(client.get(came), 401, "No login was begun here")


def test_who_has_no_role_here_is_not_let_in_and_does_not_come_to_be(site: Site) -> None:
    with site.visitor() as client:
        refused(client.get(site.answer(client, "2")), 403, "bob has no role here")
    assert "person:bob" not in [row.name for row in site.identity.principals()]
    refusals = [fact for fact in site.facts() if isinstance(fact, AccessRefused) and fact.operation == "log in"]
    assert ("bob", "127.0.0.1") in [(fact.target, fact.address) for fact in refusals]


def test_a_name_that_is_somebody_elses_here_is_not_taken_over(site: Site) -> None:
    with site.visitor() as client:
        refused(client.get(site.answer(client, "4")), 409, "There is a person:local here already")
        refused(client.get(site.answer(client, "5")), 401, "preferred_username")
        root = site.identity.create_person("root", actor=ACTOR)
        site.identity.grant(root, "*", Role.ADMIN, actor=ACTOR)
        admin = {"Authorization": f"Bearer {site.identity.issue_token(root, purpose='test', actor=ACTOR).text}"}
        link = "/api/v1/people/person:local/link"
        assert client.post(link, json={"subject": "4"}).status_code == 401
        assert client.post(link, json={"subject": "4"}, headers=admin).status_code == 200
        assert client.post(link, json={"subject": "4"}, headers=admin).status_code == 409
        assert client.get(site.answer(client, "4")).status_code == 200
        assert (
            client.get(
                "/api/v1/whoami", headers={"Authorization": f"Bearer {client.cookies['lading_session']}"}
            ).json()["principal"]
            == "person:local"
        )


def test_an_answer_to_another_login_is_refused(site: Site) -> None:
    with site.visitor() as client, site.visitor() as other:
        came = site.answer(client, "1")
        refused(other.get(came), 401, "No login was begun here")
        site.answer(other, "1")
        refused(other.get(came), 401, "the answer to another login")
        refused(client.get(came.replace("iss=http", "iss=https")), 401, "the answer to another login")
        refused(client.get("/login/oidc/back?error=access_denied&state=x"), 400, "access_denied")
        assert client.get(came).status_code == 200


def test_a_code_that_was_got_with_another_nonce_or_challenge_or_for_a_late_login_is_refused(site: Site) -> None:
    with site.visitor() as client:
        came = site.answer(client, "1", (r"nonce=[^&]+", "nonce=of-somebody-else"))
        refused(client.get(came), 401, "does not answer this login")
        came = site.answer(client, "1", (r"code_challenge=[^&]+", "code_challenge=" + "A" * 43))
        refused(client.get(came), 401, "does not take the code")
        refused(client.get(came.replace("code=", "code=x")), 401, "does not take the code")
        sealer = site.doors.wiring.sealer
        kept = {
            "state": "s",
            "nonce": "n",
            "verifier": "v",
            "redirect_uri": site.url,
            "to": "/",
            "until": time.time() - 1,
        }
        client.cookies.clear()
        client.cookies.set("lading_login", sealer.seal(json.dumps(kept), "oidc-login"), path="/login/oidc")
        refused(client.get("/login/oidc/back?state=s&code=c"), 401, "took too long")
        client.cookies.clear()
        client.cookies.set("lading_login", sealer.seal(json.dumps(kept), "oidc-device"), path="/login/oidc")
        refused(client.get("/login/oidc/back?state=s&code=c"), 401, "No login was begun here")


def test_where_to_go_on_stays_within_the_console(site: Site) -> None:
    with site.visitor() as client:
        for to in ("https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example"):
            begun = client.get("/login/oidc", params={"to": to})
            browser = Browser(site.provider)
            welcome = client.get(browser.log_in(begun.headers["location"], "1"))
            browser.close()
            assert 'content="0;url=/"' in welcome.text


def test_other_groups_are_other_roles_and_none_is_none(site: Site) -> None:
    try:
        site.provider.stop()
        site.provider.people = PEOPLE | {"1": {"preferred_username": "renamed", "groups": ["admins"]}}
        site.provider.start()
        time.sleep(1.1)
        # The provider signs with new keys now, which were not known when it was asked last.
        with site.visitor() as client:
            assert client.get(site.answer(client, "1")).status_code == 200
        row = next(row for row in site.identity.principals() if row.name == "person:ada")
        assert {(grant.team, grant.role) for grant in row.grants} == {("*", "admin")}
        assert (
            RoleWithdrawn(principal="person:ada", team="shop", role="developer", repositories="shop/*") in site.facts()
        )
        site.provider.stop()
        site.provider.people = PEOPLE | {"1": {"preferred_username": "renamed"}}
        site.provider.start()
        time.sleep(1.1)
        with site.visitor() as client:
            refused(client.get(site.answer(client, "1")), 403, "has no role here")
    finally:
        site.provider.stop()
        site.provider.people = PEOPLE
        site.provider.start()
        time.sleep(1.1)


def test_the_command_line_logs_in_with_a_code_and_the_registry_takes_the_token(site: Site, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LADING_API": site.url,
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
    command = [sys.executable, "-m", "lading.entrypoints.cli.main", "login", "--oidc", "--show-token"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"http://\S+", line)
    assert found, line
    browser = Browser(site.provider)
    assert "Sign-in Success" in browser.log_in(found[0], "3")
    browser.close()
    out, said = process.communicate(timeout=60)
    assert "as person:carl" in said
    token = out.strip()
    visitor = site.doors.wiring.authenticator.identify("carl", token)
    assert visitor is not None
    assert site.doors.wiring.authenticator.may(visitor, Access.PUSH, site.doors.wiring.registry.place("shop/web"))
    row = next(row for row in site.identity.tokens("person:carl") if row.purpose == "command line")
    assert row.expires_at


def test_a_device_code_that_nobody_confirmed_or_that_is_none_gives_nothing(site: Site) -> None:
    with site.visitor() as client:
        begun = client.post("/api/v1/login/device").json()
        waiting = client.post("/api/v1/login/device/token", json={"kept": begun["kept"]})
        assert (waiting.status_code, waiting.json()) == (202, {})
        for kept in ("", "x", "v1.00000000.AAAA", begun["kept"][:-4]):
            assert client.post("/api/v1/login/device/token", json={"kept": kept}).status_code == 401
        spent = site.doors.wiring.sealer.seal(
            msgspec.json.encode({"device_code": "made-up", "until": time.time() + 60}).decode(), "oidc-device"
        )
        assert client.post("/api/v1/login/device/token", json={"kept": spent}).status_code == 401
        answers = [client.post("/api/v1/login/device") for _ in range(6)]
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1


def test_while_the_provider_is_down_those_with_tokens_go_on(site: Site) -> None:
    with site.visitor() as client:
        assert client.get(site.answer(client, "1")).status_code == 200
        came = site.answer(client, "1")
        site.provider.stop()
        try:
            assert client.get("/images").status_code == 200
            refused(client.get(came), 503, "does not answer")
            answer = client.post("/api/v1/login/device")
            assert answer.status_code in (429, 503)
            assert site.identity.may(
                site.identity.authenticate_token(client.cookies["lading_session"]), Operation.PUSH, "shop", "shop/web"
            )
        finally:
            site.provider.start()
