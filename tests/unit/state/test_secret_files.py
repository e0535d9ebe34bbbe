"""Secret files are there whole or not at all, and for their owner alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lading.state.secret_files import create_once, put


def test_of_many_who_make_it_one_wins_and_all_find_the_same(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "key"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: create_once(path, b"%d" % number), range(40)))
    first = path.read_bytes()
    create_once(path, b"late")
    assert path.read_bytes() == first
    assert [one.name for one in path.parent.iterdir()] == ["key"]


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    put(tmp_path / "key", b"secret")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_another_content_takes_its_place_at_once(tmp_path: Path) -> None:
    put(tmp_path / "key", b"old")
    put(tmp_path / "key", b"new")
    assert (tmp_path / "key").read_bytes() == b"new"
    assert [one.name for one in tmp_path.iterdir()] == ["key"]


def test_what_cannot_be_put_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "key").mkdir()
    with pytest.raises(OSError, match="key"):
        put(tmp_path / "key", b"secret")
    assert [one.name for one in tmp_path.iterdir()] == ["key"]
