"""What merging says of files beside packages: marks, and accounts without a single hash."""

import io
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.facts import Ledger
from lading.kernel.digest import Digest
from lading.state import Database
from lading.supply_chain.inventory import Inventories, MemoryLayers
from lading.supply_chain.inventory.catalogers.accounts import AccountCataloger
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.merge import merge
from lading.supply_chain.inventory.sql import InventoryStore
from lading.supply_chain.inventory.values import Account, ImageInventory, MarkedFile
from tar_layers import OS_RELEASE, directory, entry, status, symlink, tar

PASSWD = ("etc/passwd", b"root:x:0:0::/root:/bin/sh\napp:x:10001:10001::/:/bin/sh\nbroken\nguest::1:1::/:/bin/sh\n")


def file(path: str, mode: int, content: bytes = b"1", **more: Any) -> Any:
    return entry(path, content, mode=mode, **more)


def open_directory(path: str, mode: int = 0o777) -> Any:
    info, content = directory(path)
    info.mode = mode
    return info, content


def merged(*contents: bytes) -> ImageInventory:
    read = [read_layer(str(Digest.of(content)), io.BytesIO(content)) for content in contents]
    return merge(str(Digest.of(b"image")), read)


def marked(*contents: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in merged(*contents).marked:
        found.setdefault(one.mark, []).append(one.path)
    return found


def test_programs_that_run_as_somebody_else_are_marked_with_their_package() -> None:
    lower = tar(
        OS_RELEASE, status(("passwd", "1")), ("var/lib/dpkg/info/passwd.list", b"/.\n/bin/su\n"),
        file("usr/bin/su", 0o4755), file("usr/bin/gone", 0o4755), file("usr/bin/tamed", 0o4755),
    )  # fmt: skip
    upper = tar(
        file("opt/own", 0o4711, uid=0), file("opt/wall", 0o2755, gid=5), file("opt/lock", 0o2644),
        ("usr/bin/.wh.gone", b""), file("usr/bin/tamed", 0o755), open_directory("srv/shared", 0o2755),
    )  # fmt: skip

    found = {one.path: one for one in merged(lower, upper).marked}

    assert {path: (one.mark, one.owner) for path, one in found.items()} == {
        "usr/bin/su": ("setuid", "passwd"), "opt/own": ("setuid", ""), "opt/wall": ("setgid", "")
    }  # fmt: skip
    assert (found["opt/own"].layer, found["opt/wall"].gid) == (str(Digest.of(upper)), 5)


def test_what_everybody_may_write_is_told_at_its_outermost_place() -> None:
    assert marked(
        tar(
            open_directory("app"), open_directory("app/below"), file("app/below/x", 0o666), file("app/y", 0o644),
            file("application", 0o666), open_directory("tmp", 0o1777), file("tmp/x", 0o666),
            open_directory("var/spool/in", 0o1777), symlink("link", "app"), file("dev/x", 0o666),
        )
    ) == {"writable": ["app", "application"]}  # fmt: skip


def test_a_temporary_directory_is_everybodys_on_purpose() -> None:
    assert marked(tar(open_directory("var/tmp"), open_directory("run/lock"))) == {}


def test_caches_are_told_by_place_with_their_size() -> None:
    layer = tar(
        ("var/cache/apt/archives/a.deb", b"1" * 100), ("var/lib/apt/lists/x", b"1" * 10),
        ("root/.cache/pip/http/a", b"1"), ("root/.cache/pip/http/b", b"22"), ("home/app/.npm/_cacache/x", b"1"),
        ("root/.cache/other/x", b"1"),
    )  # fmt: skip
    found = {one.path: (one.size, one.count) for one in merged(layer).marked}

    assert found == {
        "var/cache/apt": (100, 1), "var/lib/apt/lists": (10, 1), "root/.cache/pip": (3, 2),
        "home/app/.npm/_cacache": (1, 1),
    }  # fmt: skip


def test_working_copies_and_ways_in_are_marked() -> None:
    assert marked(tar(("app/.git/HEAD", b"ref"), (".hg/requires", b""), ("app/.git/config", b""))) == {
        "versions": [".hg", "app/.git"]
    }
    assert marked(tar(file("usr/bin/sudo", 0o755), file("usr/sbin/sshd", 0o755), file("opt/sudo", 0o755))) == {
        "tool": ["usr/bin/sudo", "usr/sbin/sshd"]
    }


def test_what_is_marked_everywhere_is_bounded_and_the_others_are_counted() -> None:
    found = merged(tar(*(file(f"f{number:04}", 0o666) for number in range(1_003)))).marked

    assert len(found) == 1_001
    assert found[-1] == MarkedFile(mark="writable", count=3)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "a/b", "a/b/c", "d", "d/.git/HEAD", "var/cache/apk/x", "var/cache/apk/y"]),
            st.sampled_from([0o644, 0o4755, 0o2755, 0o666, 0o777]),
        ),
        max_size=5,
        unique_by=lambda one: one[0],
    ),
    st.randoms(),
)
def test_the_order_of_layers_that_do_not_touch_each_other_does_not_matter(
    files: list[tuple[str, int]], random: Any
) -> None:
    inner = {path[:at] for path, _ in files for at, letter in enumerate(path) if letter == "/"}
    layers = [
        tar(open_directory(path, mode) if path in inner else file(path, mode, path.encode())) for path, mode in files
    ]
    shuffled = list(layers)
    random.shuffle(shuffled)

    assert merged(*layers).marked == merged(*shuffled).marked


def test_accounts_are_known_by_number_and_whether_they_ask_for_a_password() -> None:
    shadow = ("etc/shadow", b"root::19000:0:99999:7:::\napp:$6$secret$hash:19000::::::\n")
    inventory = merged(tar(PASSWD, shadow))

    assert inventory.accounts == (Account("root", 0, True), Account("guest", 1, True), Account("app", 10_001, False))
    assert b"secret$hash" not in msgspec.msgpack.encode(read_layer("x", io.BytesIO(tar(PASSWD, shadow))))


def test_where_there_are_no_accounts_and_where_they_could_not_be_read_are_told_apart() -> None:
    assert merged(tar(("bin/app", b"1"))).accounts == ()
    linked = merged(tar(OS_RELEASE, status(("a", "1")), symlink("etc/passwd", "/nix/store/x/passwd")))
    assert (linked.accounts, linked.gaps) == (None, ())
    assert merged(tar(PASSWD), tar(("etc/.wh.passwd", b""))).accounts == ()


@given(st.binary(max_size=300))
def test_no_content_of_an_account_file_breaks_its_reader(content: bytes) -> None:
    for path in ("etc/passwd", "etc/shadow"):
        for one in AccountCataloger().read(path, content).accounts:
            assert one.name


@pytest.mark.parametrize("path", ["etc/passwd", "etc/shadow"])
def test_an_account_file_without_end_is_a_gap(path: str) -> None:
    assert [gap.kind for gap in merged(tar(OS_RELEASE, status(("a", "1")), (path, b"x" * ((1 << 20) + 1)))).gaps] == [
        "package-database-unreadable"
    ]


def test_images_of_an_older_merging_are_merged_anew_and_no_layer_is_read(database: Database, ledger: Ledger) -> None:
    source = MemoryLayers()
    image = source.add(tar(OS_RELEASE, file("opt/own", 0o4755)))
    inventories = Inventories(database, ledger, source)
    taken = inventories.take(image)
    older = msgspec.structs.replace(
        taken, cataloger_version=taken.cataloger_version.partition("+merging")[0], marked=()
    )
    with database.write() as tx:
        InventoryStore().put_image(tx, older)
    source.open = None  # type: ignore[assignment]

    assert inventories.outdated() == [image]
    assert inventories.take(image) == taken
    assert inventories.outdated() == []
