"""The console in a real browser: pages, themes, live updates, keyboard, and hostile texts that stay texts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from e2e.conftest import Server, free_port, until, write_application

pytestmark = [pytest.mark.docker, pytest.mark.browser, pytest.mark.slow]
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium; scripts/install_test_tools.sh installs it")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def shipped(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server that runs an application whose log and advisories are hostile."""
    directory = tmp_path_factory.mktemp("app")
    application = write_application(directory / "store", free_port(), version="1")
    server.ship(application)
    record = {
        "id": "TEST-HOSTILE", "modified": "2026-01-01T00:00:00Z", "summary": HOSTILE,
        "affected": [{"package": {"ecosystem": "PyPI", "name": "gunicorn"},
                      "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "23.0.0"}]}]}],
    }  # fmt: skip
    server.client.upload("/api/v1/advisories?source=test", [json.dumps(record).encode()], "application/json")
    return server


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser, shipped: Server) -> Iterator[Page]:
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    opened.goto(f"{shipped.api}/login")
    opened.fill("#token", shipped.token)
    opened.click("button.primary")
    opened.wait_for_url(f"{shipped.api}/")
    yield opened
    context.close()
    assert complaints == []


def test_every_page_shows_what_it_is_for(page: Page, shipped: Server) -> None:
    image = shipped.client.get("/api/v1/containers")[0]["image"]
    for path, text in (
        ("/", "Open incidents"),
        ("/images", "store/web"),
        (f"/images/{image}", "Findings"),
        ("/workloads", "store/web"),
        ("/workloads/store/web", "What must change?"),
        ("/bill/store/web", "Who owns it?"),
        ("/incidents", "Incidents"),
        ("/strategy", "capabilities"),
    ):
        page.goto(shipped.api + path)
        assert text in page.inner_text("main"), path
        assert page.locator("h1").count() == 1, path
    page.fill("#find", "store/web")
    page.keyboard.press("Enter")
    page.wait_for_url("**/bill/store/web")


def test_a_page_changes_by_itself_when_something_happens(page: Page, shipped: Server) -> None:
    page.goto(f"{shipped.api}/incidents")
    page.wait_for_selector('.live[data-state="on"]')
    before = page.locator("tbody tr").count()
    container = shipped.client.get("/api/v1/containers", workload="store/web")[0]["id"]

    shipped.docker("exec", container, "sh", "-c", f"echo '{HOSTILE}' {before} {page.viewport_size}")

    page.wait_for_function("text => document.querySelector('main').innerText.includes(text)", arg="from outside")
    assert page.locator("img[src=x]").count() == 0


def test_the_theme_follows_the_system_and_can_be_switched(page: Page) -> None:
    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    first = background()
    page.click("#theme")

    assert background() != first
    page.reload()
    assert background() != first


def test_it_can_be_used_with_the_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    unnamed = page.evaluate(
        "[...document.querySelectorAll('a, button, input')].filter(e => !(e.innerText || e.ariaLabel || e.labels?.length"
        " || e.title)).length"
    )
    assert unnamed == 0


def test_without_a_session_there_is_only_the_login(browser: Browser, shipped: Server) -> None:
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(f"{shipped.api}/workloads/store/web")
    assert "/login" in opened.url
    opened.fill("#token", "lad_wrong")
    opened.click("button.primary")
    assert opened.locator("[role=alert]").count() == 1
    context.close()


def test_another_site_cannot_close_an_incident(shipped: Server, tmp_path: Path) -> None:
    import httpx

    del tmp_path
    incident = until(lambda: shipped.client.get("/api/v1/incidents") or None)[0]["id"]
    login = httpx.post(
        f"{shipped.api}/login", data={"token": shipped.token}, headers={"Origin": shipped.api}, follow_redirects=False
    )
    cookies = {"lading_session": login.cookies["lading_session"]}
    for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        answer = httpx.post(
            f"{shipped.api}/incidents/{incident}/close", data={"why": "forged"}, headers=headers, cookies=cookies
        )
        assert answer.status_code == 403
    assert shipped.client.get(f"/api/v1/incidents/{incident}")["state"] == "open"


def test_a_client_that_reconnects_hears_what_it_missed(shipped: Server) -> None:
    import httpx

    login = httpx.post(
        f"{shipped.api}/login", data={"token": shipped.token}, headers={"Origin": shipped.api}, follow_redirects=False
    )
    headers = {"Cookie": f"lading_session={login.cookies['lading_session']}", "Last-Event-ID": "1"}

    with httpx.stream("GET", f"{shipped.api}/console/events", headers=headers, timeout=20) as answer:
        lines = answer.iter_lines()
        counted_from = next(line for line in lines if line.startswith("id:"))
        heard = next(line for line in lines if line.startswith("data:"))

    assert counted_from == "id: 1"
    assert int(heard.partition(":")[2]) > 1


def test_headings_descend_by_one_level(page: Page, shipped: Server) -> None:
    for path in ("/", "/images", "/workloads/store/web", "/bill/store/web", "/incidents", "/strategy"):
        page.goto(shipped.api + path)
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => Number(e.tagName[1]))")
        assert levels[0] == 1, path
        assert all(after - before <= 1 for before, after in pairwise(levels)), (path, levels)


def test_on_a_narrow_screen_tables_scroll_and_the_page_does_not(page: Page, shipped: Server) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    for path in ("/", "/images", "/workloads", "/workloads/store/web", "/incidents", "/strategy"):
        page.goto(shipped.api + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, path
        beyond = page.evaluate("[...document.querySelectorAll('.card')].filter(e => e.offsetWidth > 400).length")
        assert beyond == 0, path
