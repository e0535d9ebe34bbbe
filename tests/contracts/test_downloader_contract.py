"""What every way to download a feed must do: files, memory, and HTTP against a real server that misbehaves."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feed_server import Place, serving
from lading.supply_chain.advisories.download import Downloader, FileDownloader, MemoryDownloader
from lading.supply_chain.advisories.download_http import HttpDownloader
from lading.supply_chain.advisories.errors import FeedUnavailable

CONTENT = bytes(range(256)) * 4_000
Subject = tuple[Downloader, Callable[[str], str]]


@pytest.fixture
def place() -> Iterator[Place]:
    with serving(Place({"/there": CONTENT})) as made:
        yield made


@pytest.fixture(params=["file", "url", "memory", "http"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    """A downloader, and what makes an address of a name; `there` exists."""
    (tmp_path / "there").write_bytes(CONTENT)
    if request.param == "http":
        url = request.getfixturevalue("place").url
        return HttpDownloader(), lambda name: f"{url}/{name}"
    if request.param == "memory":
        return MemoryDownloader({"there": CONTENT}), lambda name: name
    start = "file://" if request.param == "url" else ""
    return FileDownloader(), lambda name: f"{start}{tmp_path / name}"


def test_the_content_comes_whole_and_is_named(subject: Subject, tmp_path: Path) -> None:
    downloader, address = subject
    found = downloader.download(address("there"), tmp_path / "feed")

    assert (tmp_path / "feed").read_bytes() == CONTENT
    assert (found.unchanged, found.size) == (False, len(CONTENT))
    assert found.sha256 == f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    assert found.etag


def test_what_is_there_already_does_not_come_again(subject: Subject, tmp_path: Path) -> None:
    downloader, address = subject
    first = downloader.download(address("there"), tmp_path / "feed")

    assert downloader.download(address("there"), tmp_path / "again", etag=first.etag).unchanged
    assert not (tmp_path / "again").exists()


def test_exactly_the_bound_is_allowed_and_one_more_is_not(subject: Subject, tmp_path: Path) -> None:
    downloader, address = subject
    assert downloader.download(address("there"), tmp_path / "feed", most=len(CONTENT)).size == len(CONTENT)
    with pytest.raises(FeedUnavailable):
        downloader.download(address("there"), tmp_path / "more", most=len(CONTENT) - 1)
    assert not (tmp_path / "more").exists()


def test_what_is_not_there_is_unavailable_and_named(subject: Subject, tmp_path: Path) -> None:
    downloader, address = subject
    with pytest.raises(FeedUnavailable, match="missing"):
        downloader.download(address("missing"), tmp_path / "feed")


def test_a_broken_download_is_gone_on_with(place: Place, tmp_path: Path) -> None:
    waited: list[float] = []
    place.faults = ["break", "throttle", "break"]
    HttpDownloader(sleep=waited.append).download(f"{place.url}/there", tmp_path / "feed")

    assert (tmp_path / "feed").read_bytes() == CONTENT
    half = len(CONTENT) // 2
    assert [asked for _, asked in place.asked] == ["", f"bytes={half}-", f"bytes={half}-", f"bytes={half + half // 2}-"]
    assert waited == [1.0, 7.0, 4.0]


def test_it_is_gone_on_with_after_a_kill_and_begun_again_when_the_place_has_another_version(
    place: Place, tmp_path: Path
) -> None:
    def fails() -> None:
        place.faults = ["break"] + ["throttle"] * 4
        with pytest.raises(FeedUnavailable, match="429"):
            HttpDownloader(sleep=lambda _: None).download(f"{place.url}/there", tmp_path / "feed")
        assert not (tmp_path / "feed").exists()
        place.asked.clear()

    fails()
    HttpDownloader().download(f"{place.url}/there", tmp_path / "feed")
    assert place.asked == [("/there", f"bytes={len(CONTENT) // 2}-")]
    (tmp_path / "feed").unlink()
    fails()
    place.files["/there"] = CONTENT[::-1]
    HttpDownloader().download(f"{place.url}/there", tmp_path / "feed")
    assert (tmp_path / "feed").read_bytes() == CONTENT[::-1]


def test_a_server_that_lies_about_the_length_is_not_believed(place: Place, tmp_path: Path) -> None:
    place.faults = ["lie"] * 9
    with pytest.raises(FeedUnavailable):
        HttpDownloader(sleep=lambda _: None).download(f"{place.url}/there", tmp_path / "feed")
    assert not (tmp_path / "feed").exists()


def test_redirects_are_followed_and_bad_addresses_named(place: Place, tmp_path: Path) -> None:
    downloader = HttpDownloader(sleep=lambda _: None)
    assert downloader.download(f"{place.url}/moved", tmp_path / "feed").size == len(CONTENT)
    for address in ("http://127.0.0.1:1/", "no-scheme", "http://"):
        with pytest.raises(FeedUnavailable):
            downloader.download(address, tmp_path / "feed")
