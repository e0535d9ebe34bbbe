"""Targets of every kind are opened, whole or not at all."""

import gzip
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from lading.kernel.digest import Digest
from lading.kernel.errors import LadingError
from lading.supply_chain.inventory.layers import read_layer
from lading.supply_chain.registry.errors import BlobUnknown, ContentMismatch
from lading.supply_chain.scan.archive import open_archive
from lading.supply_chain.scan.directory import DirectoryTar
from lading.supply_chain.scan.errors import ContentAltered, TargetInvalid, TargetUnknown
from lading.supply_chain.scan.image import OpenedImage
from lading.supply_chain.scan.opening import Access, kind_of, open_target
from lading.supply_chain.scan.remote import find_credentials
from saved_images import Layout, docker_archive, sha256
from tar_layers import OS_RELEASE, distribution, node_module, status, tar

BASE = tar(OS_RELEASE, status(("zlib1g", "1:1.2.13", "zlib")))
APP = tar(distribution("jinja2", "2.10"))


def names(image: OpenedImage) -> list[list[str]]:
    found = []
    for ref in image.layers:
        with image.open(ref) as blob:
            layer = read_layer(str(ref.digest), blob)
        found.append(sorted(one.name for database in layer.databases for one in database.packages))
    return found


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
def test_what_docker_save_wrote_is_opened(tmp_path: Path, pack: Any) -> None:
    path = written(tmp_path / "image.tar", pack(docker_archive(BASE, APP, User="10001")))

    with open_archive(path) as image:
        assert names(image) == [["zlib1g"], ["jinja2"]]
        assert (image.name, image.platform, image.settings) == ("shop/web:1", "linux/amd64", {"User": "10001"})
        assert [ref.digest.hex for ref in image.layers] == [sha256(BASE), sha256(APP)]


def test_a_layer_that_is_a_link_to_another_is_read_there(tmp_path: Path) -> None:
    path = written(tmp_path / "image.tar", docker_archive(BASE, APP, BASE, linked=True))

    with open_archive(path) as image:
        assert names(image) == [["zlib1g"], ["jinja2"], ["zlib1g"]]


def test_a_layout_is_the_same_in_a_directory_and_in_an_archive(tmp_path: Path) -> None:
    layout = Layout()
    layout.name(layout.image(BASE, gzip.compress(APP)))
    archive, directory = written(tmp_path / "image.tar", layout.archive()), layout.write(tmp_path / "layout")

    opened = []
    for kind, path in (kind_of(str(archive)), kind_of(str(directory))):
        with open_target(kind, path, Access()) as image:
            opened.append((image.digest, names(image)))
    assert opened[0] == opened[1]
    assert opened[0][1] == [["zlib1g"], ["jinja2"]]


def test_of_an_index_the_image_for_the_platform_is_taken(tmp_path: Path) -> None:
    layout = Layout()
    attestation = layout.image(APP) | {"platform": {"os": "unknown", "architecture": "unknown"}}
    layout.name(layout.index(layout.image(BASE), layout.image(APP, architecture="arm64"), attestation))
    path = written(tmp_path / "image.tar", layout.archive())

    with open_archive(path) as usual, open_archive(path, platform="linux/arm64") as other:
        assert (names(usual), usual.platform) == ([["zlib1g"]], "linux/amd64")
        assert (names(other), other.platform) == ([["jinja2"]], "linux/arm64")
    with (
        pytest.raises(TargetInvalid, match="no image for linux/s390x") as refused,
        open_archive(path, platform="linux/s390x"),
    ):
        pass
    assert "linux/amd64, linux/arm64" in refused.value.remedy


def test_one_of_several_images_must_be_named(tmp_path: Path) -> None:
    layout = Layout()
    layout.name(layout.image(BASE), "1")
    layout.name(layout.image(APP), "2")
    path = written(tmp_path / "image.tar", layout.archive())

    with pytest.raises(TargetInvalid, match="exactly one") as refused, open_archive(path):
        pass
    assert "1, 2" in refused.value.remedy
    with open_archive(path, image="2") as image:
        assert names(image) == [["jinja2"]]


def test_a_layer_with_other_content_than_its_digest_is_an_alteration(tmp_path: Path) -> None:
    archive = docker_archive(BASE, APP)
    path = written(tmp_path / "image.tar", archive.replace(b"Version: 2.10", b"Version: 9.99"))

    with open_archive(path) as image, pytest.raises(ContentAltered, match="other content"):
        names(image)


def test_a_manifest_with_other_content_than_its_digest_is_refused(tmp_path: Path) -> None:
    layout = Layout()
    image = layout.image(BASE)
    layout.name(image)
    layout.blobs[f"blobs/sha256/{image['digest'][7:]}"] += b" "

    with pytest.raises(ContentMismatch), open_archive(written(tmp_path / "image.tar", layout.archive())):
        pass


def test_an_archive_without_a_blob_says_which(tmp_path: Path) -> None:
    layout = Layout()
    layout.name(layout.image(BASE))
    del layout.blobs[f"blobs/sha256/{sha256(BASE)}"]

    with (
        open_archive(written(tmp_path / "image.tar", layout.archive())) as image,
        pytest.raises(BlobUnknown, match=sha256(BASE)),
    ):
        names(image)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x" * 2_000,
        gzip.compress(b"x" * 600),
        b"\x1f\x8b" + b"x" * 600,
        b"\x28\xb5\x2f\xfd" + b"x" * 600,
        tar(("readme", b"hello")),
        tar(("manifest.json", b"{}")),
        tar(("manifest.json", b"[]")),
        tar(("manifest.json", b'[{"Config": "c", "Layers": ["l"]}]')),
        tar(("manifest.json", b'[{"Config": "c", "Layers": ["l"]}]'), ("c", b'{"rootfs": {"diff_ids": []}}')),
        tar(("manifest.json", b'[{"Config": "c", "Layers": ["l"]}]'), ("c", b'{"rootfs": {"diff_ids": ["sha256:x"]}}'), ("l", b"")),
        tar(("index.json", b"[" * 100_000)),
        tar(("index.json", b'{"manifests": [{"digest": "sha256:x"}]}')),
        docker_archive(BASE)[: 512 * 3],
    ],
)  # fmt: skip
def test_what_is_no_image_archive_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(LadingError) as refused, open_archive(written(tmp_path / "image.tar", content)) as image:
        names(image)
    assert str(tmp_path) in refused.value.what or "digest" in refused.value.what


def test_links_in_an_archive_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with tarfile.open(path, "w") as archive:
        for name, target in (("manifest.json", "other"), ("other", "manifest.json")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)

    with pytest.raises(TargetInvalid), open_archive(path):
        pass


def test_a_directory_is_read_as_one_layer_and_has_the_digest_of_its_content(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for path, content in (OS_RELEASE, status(("zlib1g", "1:1.2.13", "zlib")), node_module("lodash", "4.17.20")):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    (root / "etc" / "outside").symlink_to("/etc/passwd")
    os.mkfifo(root / "pipe")

    def read() -> tuple[DirectoryTar, Any]:
        stream = DirectoryTar(root)
        layer = read_layer("", stream)  # type: ignore[arg-type]
        return stream, layer

    first, layer = read()
    packages = sorted(one.name for database in layer.databases for one in database.packages)
    assert (packages, layer.all_gaps, first.gaps) == (["lodash", "zlib1g"], (), [])
    os.utime(root / OS_RELEASE[0], (1, 1))
    assert read()[0].digest == first.digest
    (root / "more").write_text("x")
    assert read()[0].digest != first.digest


def test_a_directory_tar_is_a_tar_to_others_too(tmp_path: Path) -> None:
    (tmp_path / ("long" * 60)).mkdir()
    (tmp_path / ("long" * 60) / "ünïcode").write_bytes(b"x" * 1_000)

    with tarfile.open(fileobj=io.BytesIO(DirectoryTar(tmp_path).read())) as archive:
        assert [(member.name, member.size) for member in archive] == [
            ("long" * 60, 0),
            ("long" * 60 + "/ünïcode", 1_000),
        ]


def test_a_file_that_shrinks_while_it_is_read_is_a_gap(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * (3 << 20))
    stream = DirectoryTar(tmp_path)
    stream.read(1 << 20)
    os.truncate(tmp_path / "a", 10)

    layer = read_layer("", io.BytesIO(stream.read()))

    assert [str(gap) for gap in stream.gaps[:1]] != []
    assert layer is not None


def test_a_word_names_what_it_looks_like(tmp_path: Path) -> None:
    (tmp_path / "sbom.json").write_text('{"bomFormat": "CycloneDX"}')
    (tmp_path / "image.tar").write_bytes(docker_archive(BASE))
    (tmp_path / "text").write_text("hello")

    assert kind_of(str(tmp_path))[0] == "dir"
    assert kind_of(str(tmp_path / "sbom.json"))[0] == "sbom"
    assert kind_of(str(tmp_path / "image.tar"))[0] == "archive"
    assert kind_of("registry.example/shop/web:1") == ("registry", "registry.example/shop/web:1")
    assert kind_of("shop/web:1") == ("engine", "shop/web:1")
    assert kind_of("dir:/tmp") == ("dir", "/tmp")
    with pytest.raises(TargetUnknown):
        kind_of("./nothing")
    with pytest.raises(TargetInvalid):
        kind_of(str(tmp_path / "text"))


def test_credentials_come_from_the_docker_clients_file(tmp_path: Path) -> None:
    path = written(
        tmp_path / "config.json", json.dumps({"auths": {"registry.example": {"auth": "cm9ib3Q6c2VjcmV0"}}}).encode()
    )

    assert find_credentials("registry.example", path) == ("robot", "secret")
    assert find_credentials("other.example", path) == ("", "")
    assert find_credentials("other.example", tmp_path / "nothing") == ("", "")
    with pytest.raises(TargetInvalid, match="malformed credentials"):
        find_credentials("x", written(path, b'{"auths": {"x": {"auth": "&"}}}'))


def test_digests_of_archives_are_those_of_the_engine(tmp_path: Path) -> None:
    archive = docker_archive(BASE)
    with open_archive(written(tmp_path / "image.tar", archive)) as image:
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            config = next(
                member for member in members if member.name.endswith(".json") and "manifest" not in member.name
            )
        assert image.digest == Digest.parse(f"sha256:{config.name.removesuffix('.json')}")
