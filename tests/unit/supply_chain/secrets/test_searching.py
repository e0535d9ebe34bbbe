"""Searching: wherever a secret lies and however a file comes in pieces; never for long, and never in what is no text."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.supply_chain.secrets.searching import MOST_FOUND, FileSearch, Found, Search
from made_secrets import chance, github, pem

TOKEN = "secret-github-token"


def found(content: bytes, *cuts: int, path: str = "app/settings.conf") -> tuple[Found, ...]:
    file = Search().file(path)
    ends = sorted(min(cut, len(content)) for cut in cuts)
    for begin, end in zip([0, *ends], [*ends, len(content)], strict=True):
        file.feed(content[begin:end])
    return file.finish()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=3_000), st.lists(st.integers(0, 9_000), max_size=3))
def test_a_text_of_chance_holds_no_secret(text: str, cuts: list[int]) -> None:
    assert found(text.encode("utf-8", "replace"), *cuts) == ()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3_000))
def test_bytes_of_chance_hold_no_secret(content: bytes) -> None:
    assert found(content) == ()


@settings(max_examples=60, deadline=None)
@given(
    before=st.integers(0, 400_000), newlines=st.sampled_from(["\n", "\r\n"]), lines=st.integers(0, 50),
    cuts=st.lists(st.integers(0, 500_000), max_size=4), after=st.integers(0, 40_000),
)  # fmt: skip
def test_a_token_is_found_at_any_place_on_its_line(
    before: int, newlines: str, lines: int, cuts: list[int], after: int
) -> None:
    content = newlines * lines + "." * before + " " + github() + newlines + "-" * after
    at = content.index("ghp_")

    assert found(content.encode(), *cuts, at + 5) == (Found(TOKEN, lines + 1),)


def test_a_key_across_pieces_is_found_once() -> None:
    content = (f"{'#' * 79}\n" * 4_000 + pem() + f"{'#' * 79}\n" * 4_000).encode()
    at = content.index(b"-----BEGIN")

    for cut in (at, at + 3, at + 100, at + 300_000):
        assert found(content, cut) == (Found("secret-private-key", 4_001),)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_read_when_it_says_so(encoding: str) -> None:
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    content = mark + f"a\r\nTOKEN={github()}\r\n".encode(encoding)

    assert found(content, 1, 7) == (Found(TOKEN, 2),)


def test_bytes_that_are_no_utf_8_do_not_hide_a_secret() -> None:
    assert found(b"\xff\xc3\x28\n" + github().encode() + b"\xfe") == (Found(TOKEN, 2),)


def test_what_has_a_zero_at_its_beginning_is_no_text() -> None:
    file = Search().file("bin/app")
    assert not file.feed(b"\x7fELF\0" + bytes(9_000) + github().encode())
    assert file.finish() == ()
    assert not file.text


def test_a_line_without_end_takes_little_memory() -> None:
    file = Search().file("one-line")
    piece = b"password password password password "[:32] * (1 << 15)
    for _ in range(64):
        file.feed(piece)
        assert held(file) < 2 << 20
    file.feed(f" {github()}\n".encode())

    assert file.finish() == (Found(TOKEN, 1),)


def held(file: FileSearch) -> int:
    return sum(sys.getsizeof(one) for one in (file._waiting, file._kept))


def test_what_makes_too_much_work_ends_the_search_and_says_so() -> None:
    by_strikes, by_bytes = Search(strikes=100), Search(tried=10_000)
    for search in (by_strikes, by_bytes):
        file = search.file("x")
        file.feed(f'secret = "{chance(7)}{chance(9)}";\n'.encode() * 20_000)
        file.finish()
        assert search.exhausted


def test_of_a_kind_only_so_many_are_kept_of_a_file_and_others_beside_them() -> None:
    lines = [f'api_key = "{chance(32, seed=seed)}"' for seed in range(100)] + [github()]
    kinds = [one.kind for one in found("\n".join(lines).encode())]

    assert kinds.count("secret-assigned") == MOST_FOUND
    assert TOKEN in kinds
