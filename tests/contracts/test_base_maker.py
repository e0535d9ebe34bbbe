"""What holds for everything that makes base images."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.kernel.digest import Digest
from lading.supply_chain.build.apt_sources import sources_for
from lading.supply_chain.build.base import BaseInvalid, BaseMaker, BaseRequest
from lading.supply_chain.build.base_memory import MemoryBases
from lading.supply_chain.build.mmdebstrap import DebianBases

VERSIONS = {"base-files": "12.4", "dash": "0.5", "dpkg": "1.21", "libc6": "2.36-9", "busybox-static": "1.35"}
REQUEST = BaseRequest.of("debian:12", ["busybox-static"])


def say(_text: str) -> None:
    return None


@pytest.fixture(scope="module")
def debian_bases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianBases]:
    if os.geteuid() != 0 or not shutil.which("mmdebstrap") or not sources_for("bookworm"):
        pytest.skip("needs root, mmdebstrap and apt sources of bookworm")
    directory = tmp_path_factory.mktemp("bases")
    yield DebianBases(directory)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["memory", pytest.param("debian", marks=[pytest.mark.slow, pytest.mark.xdist_group("bases")])])
def maker(request: pytest.FixtureRequest, tmp_path: Path) -> BaseMaker:
    if request.param == "memory":
        return MemoryBases(tmp_path, VERSIONS)
    found: BaseMaker = request.getfixturevalue("debian_bases")
    return found


def test_the_layout_is_complete_and_every_blob_is_what_its_name_says(maker: BaseMaker) -> None:
    made = maker.make(REQUEST, say)
    index = json.loads((made.layout / "index.json").read_bytes())
    manifest = json.loads(made.blob(made.manifest).read_bytes())
    assert index["manifests"][0]["digest"] == str(made.manifest)
    assert manifest["config"]["digest"] == str(made.config)
    assert [layer["digest"] for layer in manifest["layers"]] == [str(made.layer)]
    for digest in (made.manifest, made.config, made.layer):
        assert Digest.of(made.blob(digest).read_bytes()) == digest
    assert manifest["layers"][0]["size"] == made.blob(made.layer).stat().st_size


def test_the_packages_asked_for_are_in_it(maker: BaseMaker) -> None:
    names = {package.name for package in maker.make(REQUEST, say).packages}
    assert {"busybox-static", "dpkg", "libc6"} <= names


def test_the_same_request_is_not_made_twice(maker: BaseMaker) -> None:
    first = maker.make(REQUEST, say)
    second = maker.make(REQUEST, say)
    assert (second.manifest, second.inputs, second.reused) == (first.manifest, first.inputs, True)


def test_making_it_again_gives_the_same_digest(maker: BaseMaker) -> None:
    made = maker.make(REQUEST, say)
    assert maker.again(made, say) == made.manifest
    assert made.blob(made.layer).is_file()


def test_an_unknown_package_is_refused_by_name_and_leaves_nothing(maker: BaseMaker) -> None:
    with pytest.raises(BaseInvalid, match="no-such-package-here"):
        maker.make(BaseRequest.of("debian:12", ["no-such-package-here"]), say)
