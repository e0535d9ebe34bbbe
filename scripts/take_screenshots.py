"""Take the pictures of the README from a running console: take_screenshots.py URL TOKEN_FILE DIRECTORY."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PAGES = {"console-overview": ("/", "light"), "console-bill": ("/workloads/shop/web", "dark")}


def main() -> None:
    """Log in and take each picture."""
    base, token_file, directory = sys.argv[1:4]
    token = Path(token_file).read_text(encoding="ascii").strip()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name, (path, scheme) in PAGES.items():
            context = browser.new_context(viewport={"width": 1280, "height": 860}, color_scheme=scheme)
            page = context.new_page()
            page.goto(f"{base}/login")
            page.fill("#token", token)
            page.click("button.primary")
            page.goto(f"{base}{path}")
            page.wait_for_timeout(1200)
            page.screenshot(path=Path(directory) / f"{name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
