"""Lists of items: what a path says, and comparing two lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.continuity.errors import BackupDamaged
from lading.continuity.items import Item, Kept, beside, digest_of, read_lines, write_line

names = st.integers(0, 255).map(lambda number: f"registry/blobs/sha256/ab/{number:064x}")
lists = st.dictionaries(names, st.integers(0, 3)).map(lambda found: [Item(*one) for one in sorted(found.items())])


@given(lists, lists)
def test_each_wanted_item_meets_its_set_or_none(wanted: list[Item], known: list[Item]) -> None:
    found = list(beside(wanted, [Kept(item, 7) for item in known]))
    assert found == [(item, 7 if item in known else None) for item in wanted]


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "/etc/passwd",
        f"registry/../{'a' * 64}",
        f"registry/blobs/sha256/ab/{'A' * 64}",
        f"registry/blobs/sha256/ab/{'a' * 63}",
        f"registry/blobs/sha256/ab/{'a' * 64}\n",
        f"sources/{'a' * 64}.tar/..",
        "",
    ],
)
def test_a_path_that_is_none_of_an_item_is_refused(path: str) -> None:
    with pytest.raises(BackupDamaged):
        digest_of(path)


def test_digests_are_read_from_paths_of_both_kinds() -> None:
    assert str(digest_of(f"registry/blobs/sha512/ab/{'a' * 128}")) == f"sha512:{'a' * 128}"
    assert str(digest_of(f"sources/{'b' * 64}.tar")) == f"sha256:{'b' * 64}"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_damage(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "items.txt"
        file.write_bytes(content)
        try:
            found = list(read_lines(file))
        except BackupDamaged:
            return
        assert "".join(map(write_line, found)).split() == content.decode("ascii").split()
