"""Files of language ecosystems that are damaged, odd, or want to cost more than their share."""

from __future__ import annotations

import hashlib
import io
import json
import struct

import pytest

from lading.supply_chain.inventory.catalogers import cataloger_for
from lading.supply_chain.inventory.catalogers.dotnet import DotnetBundleCataloger
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.limits import Limits
from lading.supply_chain.inventory.values import PackageDatabase
from tar_layers import tar

MARKER = hashlib.sha256(b".net core bundle\n").digest()
PLACES = [
    "app/package-lock.json",
    "app/yarn.lock",
    "app/pnpm-lock.yaml",
    "app/vendor/composer/installed.json",
    "app/composer.lock",
    "app/app.deps.json",
    "app/packages.lock.json",
    "opt/conda/conda-meta/x.json",
    "app/poetry.lock",
    "app/uv.lock",
    "app/Pipfile.lock",
    "app/Gemfile.lock",
    "gems/specifications/x.gemspec",
    "lib/x-1.0-py3.11.egg",
    "lib/x.egg-info",
    "node_modules/x/package.json",
]


def read(path: str, content: bytes) -> PackageDatabase:
    cataloger = cataloger_for(path)
    assert cataloger is not None
    return cataloger.read(path, content)


def found(path: str, content: bytes) -> list[str]:
    return [f"{one.name} {one.version}" for one in read(path, content).packages]


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00garbage", b"[" * 100_000, b'{"a":' * 50_000, b"0", b"x" * 100_000]
)
def test_what_cannot_be_read_is_a_gap_never_zero_packages(path: str, content: bytes) -> None:
    database = read(path, content)

    assert (database.packages, len(database.gaps)) == ((), 1)


def test_json_of_300_000_entries_is_read_to_its_bound() -> None:
    lock = {"lockfileVersion": 3, "packages": {f"node_modules/p{n}": {"version": "1.0.0"} for n in range(300_000)}}

    database = read("package-lock.json", json.dumps(lock).encode())

    assert len(database.packages) == 100_000
    assert [gap.detail for gap in database.gaps] == ["it names more than 100000 packages"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("requirements.txt", "p{}==1.0\n"),
        ("Gemfile.lock", "    p{} (1.0)\n"),
        ("yarn.lock", 'p{}@1:\n  version "1.0"\n'),
        ("poetry.lock", '[[package]]\nname = "p{}"\nversion = "1"\n'),
    ],
)
def test_more_packages_than_the_bound_are_told(path: str, line: str) -> None:
    head = "GEM\n" if path == "Gemfile.lock" else "# yarn lockfile v1\n"
    database = read(path, (head + "".join(line.format(number) for number in range(100_010))).encode())

    assert (len(database.packages), len(database.gaps)) == (100_000, 1)


def test_keys_that_come_twice_count_once_as_they_came_last() -> None:
    content = b'{"packages": [], "packages": [{"name": "a/b", "version": "1", "version": "2"}]}'

    assert found("vendor/composer/installed.json", content) == ["a/b 2"]


def test_composer_1_has_a_plain_list() -> None:
    database = read("app/vendor/composer/installed.json", b'[{"name": "A/B", "version": "dev-main"}]')

    assert [one.purl for one in database.packages] == ["pkg:composer/a/b@dev-main"]
    assert "app/vendor/A/B/".lower() in database.owns


def test_an_install_path_that_climbs_out_owns_nothing() -> None:
    content = b'{"packages": [{"name": "a/b", "version": "1", "install-path": "../../../../../../etc"}]}'

    assert read("app/vendor/composer/installed.json", content).owns == (
        "app/vendor/composer/",
        "app/vendor/autoload.php",
    )


def test_anchors_and_flows_in_pnpm_locks_expand_to_nothing() -> None:
    bomb = b"lockfileVersion: '9.0'\npackages:\n  a: &a [x,x]\n  b: &b [*a,*a]\n  c: [*b,*b]\n"

    assert found("pnpm-lock.yaml", bomb) == []
    assert [gap.detail[:40] for gap in read("pnpm-lock.yaml", bomb).gaps] == [
        "'  a: &a [x,x]' is no key of a package"[:40]
    ]


@pytest.mark.parametrize(
    ("key", "version", "expected"),
    [
        ("/@babel/core/7.0.0_react@18.2.0+x", "5.4", ["@babel/core 7.0.0"]),
        ("/foo/1.0.0", "5.3", ["foo 1.0.0"]),
        ("/@babel/core@7.0.0(react@18.2.0)(x@1)", "'6.0'", ["@babel/core 7.0.0"]),
        ("'@babel/core@7.0.0'", "'9.0'", ["@babel/core 7.0.0"]),
        ("foo@https://codeload.github.com/x/y/tar.gz/abc", "'9.0'", []),
    ],
)
def test_keys_of_pnpm(key: str, version: str, expected: list[str]) -> None:
    text = f"lockfileVersion: {version}\n\npackages:\n\n  {key}:\n    resolution: {{integrity: x}}\n"

    assert found("pnpm-lock.yaml", text.encode()) == expected


def test_pnpm_entries_that_say_their_name_and_version() -> None:
    text = (
        "lockfileVersion: '6.0'\npackages:\n\n  github.com/x/y/abc:\n    name: y\n    version: 1.2.3\n    dev: false\n"
    )

    assert found("pnpm-lock.yaml", text.encode()) == ["y 1.2.3"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("requirements.txt", "a" + " " * 3_000_000 + "x"),
        ("poetry.lock", '[[package]]\nname = "' + "x" * 3_000_000),
        ("uv.lock", "version = 1\n[[package]]\n" + "a." * 1_500_000 + "a = 1"),
        ("Cargo.lock", "version = 3\n" + "a." * 1_500_000 + "a = 1"),
        ("pnpm-lock.yaml", "lockfileVersion: 6\npackages:\n  a" + ": {" * 1_000_000),
        ("yarn.lock", "# yarn lockfile v1\n" + "a@" * 1_500_000 + ":\n  version " + " " * 1_000_000 + "x"),
        ("Gemfile.lock", "GEM\n    a (" + "1." * 1_500_000),
        ("gems/specifications/a.gemspec", "  s.licenses = " + "'" * 3_000_000),
        ("gems/specifications/b.gemspec", "s.name" + " " * 3_000_000),
    ],
)
def test_long_lines_cost_little(path: str, line: str) -> None:
    assert read(path, line.encode()).packages == ()


def test_gems_are_read_without_running_them() -> None:
    content = b"Gem::Specification.new do |s|\n  s.name = %x(touch /tmp/owned)\n  s.version = '1.0'\nend\n"
    plain = b"Gem::Specification.new do |s|\n  s.name = 'made'\n  s.version = '1.0'\n  s.license = 'MIT'\nend\n"

    assert [gap.detail for gap in read("specifications/x.gemspec", content).gaps] == ["it names no gem or no version"]
    assert [(one.name, one.licenses) for one in read("specifications/x.gemspec", plain).packages] == [
        ("made", ("MIT",))
    ]


def test_gems_of_the_project_itself_are_not_locked_ones() -> None:
    text = "PATH\n  remote: .\n  specs:\n    own (1.0)\n\nGIT\n  remote: x\n  specs:\n    far (2.0)\n\nDEPENDENCIES\n  own!\n"

    assert found("Gemfile.lock", text.encode()) == ["far 2.0"]


def test_aliases_and_links_of_yarn() -> None:
    text = '# yarn lockfile v1\n\n"a@npm:@s/b@^1", "c@^1":\n  version "1.0.0"\n\n"d@file:./d":\n  version "2.0.0"\n'

    assert found("yarn.lock", text.encode()) == ["@s/b 1.0.0"]


def test_old_licences_of_npm() -> None:
    text = b'{"name": "x", "version": "1.0.0", "licenses": [{"type": "MIT"}, {"type": "Apache-2.0"}, 7]}'

    assert read("node_modules/x/package.json", text).packages[0].licenses == ("MIT", "Apache-2.0")


DEPS = b'{"runtimeTarget": {"name": "t"}, "targets": {"t": {}}, "libraries": {"Made/1.0.0": {"type": "package"}}}'


def bundle(deps: bytes, *, major: int = 6, at: int | None = None, size: int | None = None) -> bytes:
    """A program with a bundle, as dotnet/designs describes it."""
    program = b"\x7fELF" + b"code" * 100
    head = program + bytes(8) + MARKER + b"more"
    start = len(head)
    header = start + len(deps)
    name = b"bundle-id"
    table = struct.pack("<IIiB", major, 0, 1, len(name)) + name
    table += struct.pack("<qqqqQ", start if at is None else at, len(deps) if size is None else size, 0, 0, 0)
    return program + struct.pack("<q", header) + MARKER + b"more" + deps + table


def test_a_single_file_program_says_what_is_in_it() -> None:
    database = DotnetBundleCataloger().read("app/app", bundle(DEPS))

    assert [(one.name, one.version, one.path) for one in database.packages] == [("made", "1.0.0", "app/app")]


@pytest.mark.parametrize(
    "content",
    [bundle(DEPS, at=1 << 40), bundle(DEPS, size=-1), bundle(DEPS, major=1), bundle(b"{"), bundle(DEPS)[:-30],
     b"\xff" * 8 + MARKER],
)  # fmt: skip
def test_a_damaged_bundle_is_a_gap(content: bytes) -> None:
    assert len(DotnetBundleCataloger().read("app/app", content).gaps) == 1


def test_a_bundle_too_large_to_look_into_is_a_gap() -> None:
    content = tar(("app/app", bundle(DEPS) + bytes(70_000)))
    found = read_layer("sha256:x", io.BytesIO(content), Limits(database=50_000))

    assert [gap.kind for gap in found.gaps] == ["program-unread"]
    assert [one.name for one in read_layer("sha256:x", io.BytesIO(content)).databases[0].packages] == ["made"]


def test_a_program_without_a_bundle_says_nothing() -> None:
    assert DotnetBundleCataloger().read("app/app", bytes(8) + MARKER).says_nothing
    assert DotnetBundleCataloger().read("app/app", MARKER + b"\x7fELF").says_nothing


def test_conda_channels_are_named_without_their_server() -> None:
    text = '{{"name": "x", "version": "1", "channel": "{}", "subdir": "linux-64"}}'

    def channel(address: str) -> str:
        return read("conda-meta/x.json", text.format(address).encode()).packages[0].purl

    assert channel("https://repo.example.org/pkgs/main/linux-64") == "pkg:conda/x@1?channel=pkgs/main&subdir=linux-64"
    assert channel("defaults") == "pkg:conda/x@1?channel=defaults&subdir=linux-64"
