import pytest

from lading.supply_chain.inventory.catalogers import cataloger_for
from lading.supply_chain.inventory.values import PackageDatabase
from tar_layers import STATUS, stanza


def read(path: str, content: bytes) -> PackageDatabase:
    cataloger = cataloger_for(path)
    assert cataloger is not None
    return cataloger.read(path, content)


def test_dpkg_names_source_and_source_version() -> None:
    text = stanza("a", "1-1+b1", "src (1-1)") + stanza("b", "2:3", "other") + stanza("c", "4")

    found = {p.name: (p.source, p.source_version) for p in read(STATUS, text.encode()).packages}

    assert found == {"a": ("src", "1-1"), "b": ("other", "2:3"), "c": ("c", "4")}


def test_dpkg_leaves_out_what_is_not_installed_and_keeps_what_is_half() -> None:
    text = stanza("a", "1", status="deinstall ok config-files") + stanza("b", "1", status="install ok half-configured")

    assert [p.name for p in read(STATUS, text.encode()).packages] == ["b"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"garbage", b"Package: a\nStatus: install ok installed\n\n", b"Package: a\nVersion: 1\x00\n",
     stanza("a", "1").encode()[:-30], b"\xff\xfe\x00"],
)  # fmt: skip
def test_an_unreadable_status_file_is_a_gap(content: bytes) -> None:
    assert {gap.kind for gap in read(STATUS, content).gaps} == {"package-database-unreadable"}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("var/lib/dpkg/status", True),
        ("other/var/lib/dpkg/status", False),
        ("var/lib/dpkg/info/a:amd64.list", True),
        ("var/lib/dpkg/info/a.md5sums", False),
        ("usr/lib/x-1.dist-info/METADATA", True),
        ("usr/lib/x-1.egg-info/PKG-INFO", True),
        ("usr/lib/METADATA", False),
        ("app/node_modules/x/package.json", True),
        ("app/node_modules/@s/x/package.json", True),
        ("app/node_modules/x/dist/package.json", False),
        ("app/node_modules/x/node_modules/y/package.json", True),
        ("app/package.json", False),
        ("package-lock.json", True),
        ("etc/os-release", True),
        ("etc/status", False),
    ],
)
def test_which_files_are_package_databases(path: str, wanted: bool) -> None:
    assert (cataloger_for(path) is not None) == wanted


def test_python_metadata_gives_normal_name_and_licences() -> None:
    content = b"Metadata-Version: 2.1\r\nName: Flask_Cors\r\nVersion: 4.0.0\r\nClassifier: License :: OSI Approved :: MIT License\r\n\r\nName: no\r\n"

    package = read("x/f.dist-info/METADATA", content).packages[0]

    assert (package.purl, package.licenses) == ("pkg:pypi/flask-cors@4.0.0", ("MIT License",))


@pytest.mark.parametrize("content", [b"", b"Name: x\n\n", b"Version: 1\n", b"Name: ../x\nVersion: 1\n"])
def test_python_metadata_without_name_or_version_is_a_gap(content: bytes) -> None:
    database = read("x/f.dist-info/METADATA", content)

    assert (database.packages, [gap.kind for gap in database.gaps]) == ((), ["package-metadata-unreadable"])


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"name": "x"}', b'{"name": 1, "version": 2}', b"[" * 100_000])
def test_npm_metadata_that_cannot_be_read_is_a_gap(content: bytes) -> None:
    assert [gap.kind for gap in read("node_modules/x/package.json", content).gaps] == ["package-metadata-unreadable"]


def test_old_lock_files_are_read_to_a_bounded_depth() -> None:
    nested = '{"version": "1.0.0"}'
    for _ in range(200):
        nested = f'{{"version": "1.0.0", "dependencies": {{"x": {nested}}}}}'
    lock = f'{{"dependencies": {{"y": {nested}}}}}'.encode()

    assert {p.name for p in read("package-lock.json", lock).packages} == {"x", "y"}
