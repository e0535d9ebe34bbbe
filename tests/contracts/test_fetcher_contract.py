"""What every way to fetch a feed must do: files, memory, and HTTP against a real server."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lading.supply_chain.advisories.errors import FeedUnavailable
from lading.supply_chain.advisories.fetch import Fetcher, FileFetcher, MemoryFetcher
from lading.supply_chain.advisories.fetch_http import HttpFetcher

CONTENT = b"feed" * 1000
Subject = tuple[Fetcher, Callable[[str], str]]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/there")
            self.end_headers()
            return
        found = self.path in ("/there", "/cut")
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(CONTENT) + (10 if self.path == "/cut" else 0)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_address[1]}"
        made.shutdown()
        thread.join()


@pytest.fixture(params=["file", "url", "memory", "http"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    """A fetcher, and what makes an address of a name; `there` exists."""
    (tmp_path / "there").write_bytes(CONTENT)
    if request.param == "http":
        server = request.getfixturevalue("server")
        return HttpFetcher(), lambda name: f"{server}/{name}"
    if request.param == "memory":
        return MemoryFetcher({"there": CONTENT}), lambda name: name
    start = "file://" if request.param == "url" else ""
    return FileFetcher(), lambda name: f"{start}{tmp_path / name}"


def test_the_content_comes_whole(subject: Subject) -> None:
    fetcher, address = subject
    assert fetcher.fetch(address("there")) == CONTENT


def test_exactly_the_bound_is_allowed_and_one_more_is_not(subject: Subject) -> None:
    fetcher, address = subject
    assert fetcher.fetch(address("there"), most=len(CONTENT)) == CONTENT
    with pytest.raises(FeedUnavailable):
        fetcher.fetch(address("there"), most=len(CONTENT) - 1)


def test_what_is_not_there_is_unavailable_and_named(subject: Subject) -> None:
    fetcher, address = subject
    with pytest.raises(FeedUnavailable, match="missing"):
        fetcher.fetch(address("missing"))


def test_redirects_are_followed_and_broken_answers_are_not_believed(server: str) -> None:
    assert HttpFetcher().fetch(f"{server}/moved") == CONTENT
    for address in (f"{server}/cut", "http://127.0.0.1:1/", "no-scheme", "http://"):
        with pytest.raises(FeedUnavailable):
            HttpFetcher().fetch(address)
