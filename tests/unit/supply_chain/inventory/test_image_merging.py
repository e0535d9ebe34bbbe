import io

from lading.kernel.digest import Digest
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.merge import merge, merged_files
from lading.supply_chain.inventory.values import ImageInventory, LayerInventory
from tar_layers import OS_RELEASE, STATUS, directory, distribution, hardlink, node_module, stanza, status, symlink, tar


def layers(*contents: bytes) -> list[LayerInventory]:
    return [read_layer(str(Digest.of(content)), io.BytesIO(content)) for content in contents]


def merged(*contents: bytes) -> ImageInventory:
    return merge(str(Digest.of(b"image")), layers(*contents))


def brought(inventory: ImageInventory, *contents: bytes) -> dict[str, int]:
    numbers = {str(Digest.of(content)): number for number, content in enumerate(contents)}
    return {f"{package.name} {package.version}": numbers[package.layer] for package in inventory.packages}


def test_the_release_of_the_image_names_the_ecosystem_and_the_purl() -> None:
    one = merged(tar(OS_RELEASE, status(("libc6", "2.36-9", "glibc")))).packages[0]

    assert one.ecosystem == "Debian:12"
    assert one.purl == "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12"
    assert (one.source, one.source_version) == ("glibc", "2.36-9")


def test_the_topmost_database_decides_and_each_package_has_the_layer_that_brought_it() -> None:
    base = tar(OS_RELEASE, status(("a", "1"), ("b", "1")))
    middle = tar(status(("a", "1"), ("b", "2"), ("c", "1")))
    top = tar(status(("a", "1"), ("b", "2"), ("c", "1"), ("d", "1")))

    inventory = merged(base, middle, top)

    assert brought(inventory, base, middle, top) == {"a 1": 0, "b 2": 1, "c 1": 1, "d 1": 2}


def test_a_package_that_went_and_came_back_was_brought_by_the_later_layer() -> None:
    contents = (
        tar(OS_RELEASE, status(("a", "1"), ("b", "1"))),
        tar(status(("a", "1"))),
        tar(status(("a", "1"), ("b", "1"))),
    )

    assert brought(merged(*contents), *contents) == {"a 1": 0, "b 1": 2}


def test_whiteouts_opaque_directories_and_replaced_directories_hide_lower_packages() -> None:
    lower = tar(OS_RELEASE, status(("a", "1")), distribution("flask", "1.0", "x/y"), node_module("left-pad", "1.0.0"))
    for hiding in (
        tar(("x/.wh.y", b""), (".wh.app", b"")),
        tar((".wh.x", b""), ("app/.wh..wh..opq", b"")),
        tar(("x", b"a file now"), symlink("app", "/tmp")),
    ):
        assert [p.name for p in merged(lower, hiding).packages] == ["a"]


def test_a_whiteout_hides_nothing_of_its_own_layer() -> None:
    path, content = distribution("flask", "2.0", "x")
    inventory = merged(tar(distribution("flask", "1.0", "x")), tar((".wh.x", b""), (path, content)))

    assert [p.version for p in inventory.packages] == ["2.0"]


def test_a_removed_package_database_is_a_gap_not_an_image_without_packages() -> None:
    lower = tar(OS_RELEASE, status(("a", "1")), ("var/lib/dpkg/info/a.list", b"/.\n/bin/a\n"))
    for hiding in (tar(("var/lib/dpkg/.wh.status", b"")), tar((STATUS, b"")), tar(symlink(STATUS, "/x"))):
        inventory = merged(lower, hiding)
        assert inventory.packages == ()
        assert any(gap.kind == "package-database-unreadable" for gap in inventory.gaps)


def test_deb_packages_without_a_release_are_a_gap() -> None:
    assert [gap.kind for gap in merged(tar(status(("a", "1")))).gaps] == ["release-unknown"]


def test_deb_packages_of_a_release_without_a_number_are_a_gap() -> None:
    rolling = ("etc/os-release", b"ID=debian\nVERSION_CODENAME=sid\n")

    assert [gap.kind for gap in merged(tar(rolling, status(("a", "1")))).gaps] == ["release-unknown"]


def test_an_image_where_nothing_is_recognised_says_so() -> None:
    assert [gap.kind for gap in merged(tar(("bin/app", b"elf"))).gaps] == ["nothing-recognised"]


def test_distroless_images_have_one_file_for_each_package() -> None:
    inventory = merged(tar(OS_RELEASE, ("var/lib/dpkg/status.d/base", stanza("base-files", "12.4").encode()),
                           ("var/lib/dpkg/status.d/base.md5sums", b"0  etc/x\n")))  # fmt: skip

    assert [(p.name, p.ecosystem) for p in inventory.packages] == [("base-files", "Debian:12")]
    assert inventory.gaps == ()


def test_a_python_distribution_of_a_deb_package_is_provided_by_it() -> None:
    path, content = distribution("six", "1.16.0", "usr/lib/python3/dist-packages")
    listed = f"/.\n/{path.rpartition('/')[0]}\n/{path}\n".encode()
    inventory = merged(
        tar(
            OS_RELEASE,
            status(("python3-six", "1.16.0-4")),
            ("var/lib/dpkg/info/python3-six.list", listed),
            (path, content),
        )
    )

    assert {p.name: p.provided_by for p in inventory.packages} == {"python3-six": "", "six": "python3-six"}


def test_files_that_belong_to_no_package_are_counted() -> None:
    inventory = merged(
        tar(OS_RELEASE, status(("a", "1")), ("var/lib/dpkg/info/a.list", b"/.\n/bin\n/bin/a\n"), ("usr/bin/a", b"1"),
            ("opt/dropped", b"1"), node_module("x", "1.0.0"), ("app/node_modules/x/index.js", b"1"))
    )  # fmt: skip

    assert inventory.unowned_files == 1


def test_a_lower_link_to_a_directory_is_followed() -> None:
    inventory = merged(
        tar(OS_RELEASE, directory("usr/lib"), symlink("lib", "usr/lib")), tar(distribution("flask", "1.0", "lib/p"))
    )

    assert [p.path for p in inventory.packages] == ["usr/lib/p/flask-1.0.dist-info/METADATA"]


def test_a_lock_file_counts_only_where_nothing_is_installed() -> None:
    lock = b'{"lockfileVersion": 3, "packages": {"": {}, "node_modules/x": {"version": "1.0.0"}, "node_modules/d": {"version": "1.0.0", "dev": true}}}'

    assert [(p.name, p.declared_only) for p in merged(tar(("app/package-lock.json", lock))).packages] == [("x", True)]
    installed = merged(tar(("app/package-lock.json", lock), node_module("x", "1.0.1")))
    assert [(p.version, p.declared_only) for p in installed.packages] == [("1.0.1", False)]


def test_the_merged_index_has_hard_links_as_the_files_they_are() -> None:
    files = merged_files(
        layers(tar(("a", b"1"), ("gone", b"1")), tar(("b", b"22"), hardlink("c", "b"), (".wh.gone", b"")))
    )

    assert sorted(files) == ["a", "b", "c"]
    assert (files["c"].kind, files["c"].sha256) == ("f", files["b"].sha256)


def test_a_database_that_lost_packages_is_a_gap_and_one_whose_packages_were_removed_is_not() -> None:
    lists = [(f"var/lib/dpkg/info/{name}.list", b"/.\n") for name in ("a", "b:amd64")]
    lost = merged(tar(OS_RELEASE, status(("a", "1")), *lists))
    removed = stanza("a", "1") + stanza("b", "1", status="deinstall ok config-files")

    assert [(gap.kind, gap.detail) for gap in lost.gaps] == [
        ("package-database-unreadable", "it does not name 1 packages that have lists of their files: b")
    ]
    assert merged(tar(OS_RELEASE, (STATUS, removed.encode()), *lists)).gaps == ()
