"""Flaws as a server shows them: API, command line, exports, and the console in a real browser, light and dark."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from e2e.conftest import Server, until
from pushing import PushedImage, Pusher
from tar_layers import OS_RELEASE, distribution, node_module, status, tar

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAW = "CVE-2024-22195"
BASE = tar(OS_RELEASE, status(("libc6", "2.36-9+deb12u9", "glibc")))
APP = tar(distribution("jinja2", "3.1.2"), node_module("lodash", "4.17.20"))
# Where the pictures go that somebody wants to look at.
PICTURES = os.environ.get("LADING_TEST_PICTURES", "")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, PushedImage]]:
    server = Server(tmp_path_factory.mktemp("findings"), "unix:///nonexistent/docker.sock")
    server.start()
    for team in ("shop", "other"):
        server.client.post("/api/v1/teams", {"team": team})
    token = server.client.post("/api/v1/teams/shop/robots", {"name": "ci"})["token"]
    pusher = Pusher(server.push, "shop/ci", token)
    images = [pusher.push("shop/web", tag, contents=(BASE, APP)) for tag in ("1", "2")]
    pusher.close()
    until(lambda: _in_two_images(server), 90)
    yield server, images[0]
    server.client.close()
    server.stop()


def _in_two_images(server: Server) -> bool | None:
    """Whether both images were matched, and that is worked in."""
    page = server.client.get("/api/v1/findings", flaw=FLAW)
    return (bool(page["rows"]) and page["rows"][0]["images"] == 2 and not page["waiting"]) or None


@pytest.fixture(scope="module")
def server(filled: tuple[Server, PushedImage]) -> Server:
    return filled[0]


def ids(page: Any) -> list[str]:
    return [row["id"] for row in page["rows"]]


def run(server: Server, *words: str, code: int = 0) -> str:
    ended = server.cli(*words)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return str(ended.stdout if code == 0 else ended.stderr)


class TestApi:
    """What programs get."""

    def test_filters_narrow_the_list(self, server: Server) -> None:
        everything = server.client.get("/api/v1/findings", limit=500)
        python = server.client.get("/api/v1/findings", ecosystem="PyPI", limit=500)
        assert FLAW in ids(python) and set(ids(python)) < set(ids(everything))
        assert FLAW in ids(server.client.get("/api/v1/findings", package="jinja2", fixable=True))
        assert ids(server.client.get("/api/v1/findings", running=True)) == []
        assert ids(server.client.get("/api/v1/findings", team="other")) == []
        severe = server.client.get("/api/v1/findings", severity="high", limit=500)
        assert {row["severity"] for row in severe["rows"]} <= {"high", "critical"}

    def test_pages_together_are_the_whole_list_in_order(self, server: Server) -> None:
        whole = server.client.get("/api/v1/findings", limit=500)
        rows: list[str] = []
        after = ""
        while True:
            page = server.client.get("/api/v1/findings", limit=3, after=after or None)
            rows += ids(page)
            after = page["next"]
            if not after:
                break
        assert rows == ids(whole)
        assert len(rows) == whole["total"] == sum(whole["by_severity"].values())

    def test_a_flaw_says_where_it_is_and_what_mends_it(self, filled: tuple[Server, PushedImage]) -> None:
        server, image = filled
        flaw = server.client.get(f"/api/v1/flaws/{FLAW}")
        assert FLAW in flaw["names"]
        assert ("jinja2", "3.1.2") in {(one["package"], one["version"]) for one in flaw["packages"]}
        assert image.digest in {row["digest"] for row in flaw["where"]["images"]}
        assert {one["team"] for one in flaw["history"]} >= {"shop"}

    def test_a_package_says_its_flaws_by_version(self, server: Server) -> None:
        package = server.client.get("/api/v1/packages/pkg:pypi/jinja2@3.1.2")
        (version,) = package["versions"]
        assert FLAW in {one["id"] for one in version["flaws"]}
        assert version["newest_fix"].startswith("3.1.")

    def test_what_is_not_there_is_not_found(self, server: Server) -> None:
        assert json.loads(run(server, "findings", "--flaw", "CVE-1900-1", "-o", "json"))["rows"] == []
        with httpx.Client(base_url=server.api, headers={"Authorization": f"Bearer {server.token}"}) as client:
            for path in ("flaws/CVE-1900-1", "packages/nothing-of-that-name"):
                assert client.get(f"/api/v1/{path}").status_code == 404
            assert client.get("/api/v1/findings?after=nonsense").status_code == 400
            assert client.get("/api/v1/findings?sort=colour").status_code in (400, 422)

    def test_others_see_nothing_of_a_team(self, server: Server) -> None:
        token = server.client.post("/api/v1/teams/other/robots", {"name": "look"})["token"]
        with httpx.Client(base_url=server.api, headers={"Authorization": f"Bearer {token}"}) as client:
            assert client.get("/api/v1/findings").json()["rows"] == []
            assert client.get(f"/api/v1/flaws/{FLAW}").status_code == 404
            assert client.get("/api/v1/packages/jinja2").status_code == 404
            exported = client.get("/api/v1/findings/export")
            assert exported.text.count("\n") == 1

    def test_history_counts_what_began(self, server: Server) -> None:
        history = server.client.get("/api/v1/findings/history", running=False, days=2)
        assert (
            sum(history["days"][-1]["opened"].values()) == server.client.get("/api/v1/findings", status="any")["total"]
        )


class TestCommands:
    """What people type."""

    def test_the_list_and_its_exports(self, server: Server, tmp_path: Path) -> None:
        assert FLAW in run(server, "findings", "--package", "jinja2")
        whole = json.loads(run(server, "findings", "-o", "json", "--limit", "500"))
        run(server, "findings", "-o", "csv", "--output-file", str(tmp_path / "all.csv"))
        rows = list(csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text())))
        assert [row["id"] for row in rows] == ids(whole)
        lines = run(server, "findings", "-o", "jsonl").splitlines()
        assert [json.loads(line)["id"] for line in lines] == ids(whole)

    def test_exceptions_are_granted_listed_and_ended(self, server: Server) -> None:
        run(
            server, "policy", "except", "no-fixable-severe-flaw", "--flaw", FLAW, "--until", "2027-01-31",
            "--reason", "not reachable", "--owner", "shop",
        )  # fmt: skip
        (row,) = json.loads(run(server, "policy", "exceptions", "--flaw", FLAW, "-o", "json"))
        assert (row["owner"], row["counts"], row["flaws"]) == ("shop", True, [FLAW])
        assert "holds again" in run(server, "policy", "unexcept", row["id"])
        assert json.loads(run(server, "policy", "exceptions", "--flaw", FLAW, "-o", "json")) == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium; scripts/install_test_tools.sh installs it")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser, server: Server) -> Iterator[Page]:
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(f"{server.api}/login")
    opened.fill("#token", server.token)
    opened.click("button.primary")
    expect(opened.locator("h1")).to_have_text("Overview")
    yield opened
    context.close()
    assert complaints == []


def picture(page: Page, name: str) -> None:
    if PICTURES:
        scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
        page.screenshot(path=f"{PICTURES}/{name}-{scheme}.png", full_page=True)


def test_from_the_list_to_a_flaw_its_package_and_an_exception(page: Page, server: Server) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Findings").click()
    expect(page.locator("h1")).to_contain_text("Findings")
    picture(page, "findings")
    page.get_by_label("package").fill("jinja2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name=FLAW)).to_be_visible()
    assert "package=jinja2" in page.url

    page.get_by_role("link", name=FLAW).click()
    expect(page.locator("h1")).to_contain_text(FLAW)
    picture(page, "flaw")
    page.get_by_label("reason").fill("nobody renders what others wrote")
    page.get_by_label("owner").fill("shop")
    page.get_by_label("until").fill("2027-01-31")
    page.get_by_role("button", name="Grant it").click()
    expect(page.get_by_text("nobody renders what others wrote")).to_be_visible()

    page.goto(f"{server.api}/exceptions")
    picture(page, "exceptions")
    page.get_by_role("button", name="End").first.click()
    expect(page.get_by_text("nobody renders what others wrote")).to_have_count(0)

    page.goto(f"{server.api}/packages/jinja2")
    expect(page.locator("h1")).to_contain_text("jinja2")
    picture(page, "package")
    page.goto(f"{server.api}/findings/history?of=kept")
    expect(page.locator("svg.days")).to_be_visible()
    picture(page, "history")


def test_the_list_downloads_as_a_file(page: Page, server: Server) -> None:
    page.goto(f"{server.api}/findings?ecosystem=PyPI")
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV").click()
    assert FLAW in Path(started.value.path()).read_text()
