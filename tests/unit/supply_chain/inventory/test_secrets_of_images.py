"""Secrets of an image: deleted ones too, packages' examples not; layers are searched again only when that finds more."""

from __future__ import annotations

import io

import msgspec
import pytest

from lading.kernel.digest import Digest
from lading.supply_chain.inventory.catalogers import CATALOGERS, Catalogers
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.inventory.merge import merge
from lading.supply_chain.inventory.values import LayerInventory, Secret
from lading.supply_chain.secrets.searching import Search
from made_secrets import github, pem
from tar_layers import OS_RELEASE, distribution, entry, node_module, status, symlink, tar

TOKEN = "secret-github-token"
KEY = "secret-private-key"
NGINX = ("var/lib/dpkg/info/nginx.list", b"/.\n/etc\n/etc/nginx.key\n/lib/x/test.key\n")
BASE = (OS_RELEASE, status(("nginx", "1.22")))


def read(content: bytes) -> LayerInventory:
    return read_layer(str(Digest.of(content)), io.BytesIO(content))


def secrets(*layers: bytes) -> list[tuple[str, str, int, int, bool]]:
    """Rule, path, line, the number of the layer, and whether it is hidden."""
    numbers = {str(Digest.of(layer)): number for number, layer in enumerate(layers)}
    found = merge("sha256:i", [read(layer) for layer in layers]).secrets
    return [(one.rule, one.path, one.line, numbers[one.layer], one.hidden) for one in found]


def env(line: int = 1, seed: int = 1) -> tuple[str, bytes]:
    return "app/.env", ("A=1\n" * (line - 1) + f"TOKEN={github(seed=seed)}\n").encode()


def test_a_secret_that_a_later_layer_deletes_is_still_shipped() -> None:
    assert secrets(tar(env(3)), tar(("app/.wh..env", b""))) == [(TOKEN, "app/.env", 3, 0, True)]
    assert secrets(tar(env(3)), tar(("app/.wh..wh..opq", b""))) == [(TOKEN, "app/.env", 3, 0, True)]
    assert secrets(tar(env(3)), tar(("app/.env", b"A=1\n"))) == [(TOKEN, "app/.env", 3, 0, True)]


def test_a_file_whose_mode_changes_is_told_of_the_layer_that_brought_it() -> None:
    again = tar(entry(*env(), mode=0o600))

    assert secrets(tar(env()), again) == [(TOKEN, "app/.env", 1, 0, False)]


def test_each_layer_that_brings_another_secret_is_told() -> None:
    assert secrets(tar(env()), tar(env(2, seed=2))) == [
        (TOKEN, "app/.env", 1, 0, True),
        (TOKEN, "app/.env", 2, 1, False),
    ]


def test_a_file_below_a_link_is_told_where_it_lies() -> None:
    assert secrets(tar(symlink("srv", "opt")), tar(("srv/x.env", env()[1]))) == [(TOKEN, "opt/x.env", 1, 1, False)]


def test_files_of_packages_are_theirs_until_a_later_layer_replaces_them() -> None:
    installed = tar(*BASE, NGINX, ("etc/nginx.key", pem().encode()), ("usr/lib/x/test.key", pem().encode()))

    assert secrets(installed) == []
    assert secrets(installed, tar(("etc/nginx.key", pem().encode()))) == [(KEY, "etc/nginx.key", 1, 1, False)]
    upgraded = tar(*BASE, NGINX, ("etc/nginx.key", pem().encode()))
    assert secrets(installed, upgraded) == []


def test_files_of_a_package_that_is_removed_later_were_its_own() -> None:
    installed = tar(*BASE, NGINX, ("etc/nginx.key", pem().encode()))
    removed = tar(status(("libc6", "2")), ("etc/.wh.nginx.key", b""), ("var/lib/dpkg/info/.wh.nginx.list", b""))

    assert secrets(installed, removed) == []


def test_a_list_of_files_may_come_with_another_layer_than_the_files() -> None:
    assert secrets(tar(("etc/nginx.key", pem().encode())), tar(*BASE, NGINX)) == []


def test_in_packages_of_languages_only_what_is_sure_counts() -> None:
    module = "app/node_modules/left"
    content = tar(
        *BASE, node_module("left", "1.0.0"),
        (f"{module}/a.js", f"x('{github()}')".encode()), (f"{module}/b.pem", pem().encode()),
    )  # fmt: skip

    assert secrets(content) == [(TOKEN, f"{module}/a.js", 1, 0, False)]


def test_the_record_of_a_distribution_says_what_is_its_own() -> None:
    metadata = distribution("left", "1.0", "usr/lib/python3/site-packages")
    record = (metadata[0].replace("METADATA", "RECORD"), b"left/key.pem,sha256=x,1\n")

    assert secrets(tar(*BASE, metadata, record, ("usr/lib/python3/site-packages/left/key.pem", pem().encode()))) == []


def test_no_value_is_in_what_is_kept_of_a_layer() -> None:
    body = msgspec.msgpack.encode(read(tar(env())))

    assert github()[4:].encode() not in body
    assert Secret(TOKEN, "app/.env", 1) == msgspec.msgpack.decode(body, type=LayerInventory).secrets[0]


def test_other_forms_read_again_what_has_text_in_it_and_nothing_else() -> None:
    newer = Catalogers(tuple(CATALOGERS), secrets=99)
    text, program = read(tar(env())), read(tar(("bin/app", b"\x7fELF" + bytes(20)), ("empty", b"")))

    assert newer.carried(text) is None
    assert newer.carried(program) is not None


def test_what_was_read_before_there_were_secrets_is_read_again() -> None:
    old = msgspec.structs.replace(read(tar(("a", b"text\n"))), cataloger_version="2+" + CATALOGERS.version[2:])

    assert CATALOGERS.carried(old) is None


def test_a_layer_that_makes_the_search_work_for_ever_has_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lading.supply_chain.inventory.layers.Search", lambda: Search(strikes=1_000))

    gaps = read(tar(("f", b"secret=aaaaaaaa\n" * 2_000))).gaps
    assert [gap.kind for gap in gaps] == ["secrets-unsearched"]
