import io

from lading.kernel.digest import Digest
from lading.supply_chain.inventory.changes import LayerChange, changes
from lading.supply_chain.inventory.layers import read_layer
from tar_layers import OS_RELEASE, distribution, node_module, status, tar


def told(*contents: bytes) -> list[LayerChange]:
    return list(changes(read_layer(str(Digest.of(content)), io.BytesIO(content)) for content in contents))


def deb(name: str, version: str) -> str:
    return f"pkg:deb/debian/{name}@{version}?arch=amd64&distro=debian-12"


def test_each_layer_tells_what_it_added_changed_and_removed() -> None:
    base = tar(OS_RELEASE, status(("a", "1"), ("b", "1")), distribution("flask", "1.0"))
    upgraded = tar(
        status(("a", "2"), ("c", "1")),
        ("usr/lib/python3/site-packages/.wh.flask-1.0.dist-info", b""),
        distribution("flask", "2.0"),
        node_module("left-pad", "1.0.0"),
    )
    other = tar(("srv/data", b"1"))

    first, second, third = told(base, upgraded, other)

    assert first.added == (deb("a", "1"), deb("b", "1"), "pkg:pypi/flask@1.0")
    assert second.added == (deb("c", "1"), "pkg:npm/left-pad@1.0.0")
    assert second.changed == ((deb("a", "1"), deb("a", "2")), ("pkg:pypi/flask@1.0", "pkg:pypi/flask@2.0"))
    assert second.removed == (deb("b", "1"),)
    assert (third.added, third.changed, third.removed) == ((), (), ())


def test_what_a_lock_file_declares_was_not_installed() -> None:
    lock = b'{"packages": {"node_modules/x": {"version": "1.0.0"}}}'

    assert told(tar(("app/package-lock.json", lock)))[0].added == ()
