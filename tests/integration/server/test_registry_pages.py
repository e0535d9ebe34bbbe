"""The console's pages of the registry in a real browser, light and dark, with the keyboard."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from e2e.conftest import Server, until
from lading.kernel.errors import LadingError
from pushing import MANIFEST, PushedImage, Pusher

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
WAIT_MS = 60_000


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
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, PushedImage]]:
    """A server with one image under 60 tags."""
    server = Server(tmp_path_factory.mktemp("pages"), "unix:///nonexistent/docker.sock")
    server.start()
    server.client.post("/api/v1/teams", {"team": "shop"})
    token = server.client.post("/api/v1/teams/shop/robots", {"name": "ci"})["token"]
    pusher = Pusher(server.push, "shop/ci", token)
    image = pusher.push("shop/web", "v00")
    body = pusher.manifest("shop/web", "v00").content
    with httpx.Client(base_url=f"http://{server.push}", auth=("shop/ci", token), timeout=60) as client:
        for number in range(1, 60):
            path = f"/v2/shop/web/manifests/v{number:02}"
            assert client.put(path, content=body, headers={"Content-Type": MANIFEST}).status_code == 201
    pusher.close()
    until(lambda: _has_bill(server, image.digest), 90)
    yield server, image
    server.client.close()
    server.stop()


def _has_bill(server: Server, digest: str) -> bool | None:
    try:
        return bool(server.client.get(f"/api/v1/bill/{digest}"))
    except LadingError:
        return None


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser, filled: tuple[Server, PushedImage]) -> Iterator[Page]:
    server, _image = filled
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(WAIT_MS)
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


def test_from_repositories_to_tags_page_by_page_with_the_keyboard(
    page: Page, filled: tuple[Server, PushedImage]
) -> None:
    server, _image = filled
    page.goto(f"{server.api}/repositories?q=web")
    page.locator("tbody a", has_text="shop/web").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("shop/web")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.locator("a[rel=next]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(10)
    expect(page.locator("tbody th").first).to_have_text("v50")
    page.fill("input[name=q] >> nth=1", "v07")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_an_image_shows_its_layers_and_a_layer_its_images(page: Page, filled: tuple[Server, PushedImage]) -> None:
    server, image = filled
    page.goto(f"{server.api}/images?q=shop/web:v07&unattributed=1")
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("unattributed")
    expect(row).to_contain_text(re.compile("quarantined|approved"))
    row.locator("a").first.click()
    expect(page.locator("body")).to_contain_text("its push did not say its commit and pipeline")
    page.locator("a[href^='/layers/']").first.click()
    expect(page.locator("h1")).to_have_text("Layer")
    expect(page.locator("tbody")).to_contain_text("shop/web")
    expect(page.locator("body")).to_contain_text("team shop")
    assert image.digest[7:19] in page.locator("tbody").inner_text()
