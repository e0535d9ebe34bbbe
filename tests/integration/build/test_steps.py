"""What BuildKit's steps installed, told by the layers that it pushed and the history that it wrote."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lading.facts import Ledger
from lading.kernel.digest import Digest
from lading.kernel.errors import NotFound
from lading.kernel.reference import Reference
from lading.lifecycle.steps import BuildSteps
from lading.state import Database
from lading.supply_chain.build.builder import BuildRequest, Credentials
from lading.supply_chain.build.buildkit import BuildKit
from lading.supply_chain.build.dockerfile import parse
from lading.supply_chain.build.provenance import BuildRecord, provenance
from lading.supply_chain.inventory import Inventories
from lading.supply_chain.registry.reading import LayerRef

DOCKERFILE = """FROM scratch AS builder
COPY busybox /bin/sh
WORKDIR /lib/python3/site-packages/winch-2.0.dist-info
RUN echo "Name: winch" > METADATA && echo "Version: 2.0" >> METADATA
FROM scratch AS runtime
ARG API_TOKEN
COPY busybox /bin/sh
ENV COLOUR=blue
WORKDIR /lib/python3/site-packages/anchor-1.0.dist-info
RUN echo "Name: anchor" > METADATA && echo "Version: 1.0" >> METADATA
COPY --from=builder /bin/sh /bin/tool
"""


class Pushed:
    """What a registry holds, as images with layers."""

    def __init__(self, held: Any) -> None:
        self._held = held

    def config(self, digest: Digest) -> dict[str, Any]:
        return dict(json.loads(self._held.blobs[self._manifest(digest)["config"]["digest"]]))

    def layers(self, image: Digest) -> Sequence[LayerRef]:
        return [
            LayerRef(Digest.parse(layer["digest"]), layer["mediaType"], layer["size"])
            for layer in self._manifest(image)["layers"]
        ]

    def open(self, layer: Digest) -> io.BytesIO:
        return io.BytesIO(self._held.blobs[str(layer)])

    def _manifest(self, digest: Digest) -> Any:
        found = [body for (_, reference), (_, body) in self._held.manifests.items() if reference == str(digest)]
        if not found:
            raise NotFound(f"There is no image {digest}.")
        return json.loads(found[0])


@pytest.mark.docker
def test_the_packages_of_each_step_are_told_and_no_secret(
    docker_engine: str, registry: Any, tmp_path: Path, database: Database, ledger: Ledger
) -> None:
    busybox = next((path for path in (Path("/bin/busybox"), Path("/usr/bin/busybox")) if path.exists()), None)
    if busybox is None:
        pytest.skip("no static busybox; scripts/install_test_tools.sh installs it")
    shutil.copy(busybox, tmp_path / "busybox")
    arguments = {"API_TOKEN": "hush"}
    request = BuildRequest(
        directory=tmp_path, dockerfile=parse(DOCKERFILE), image=Reference("shop/web", registry.address, "1"),
        target="runtime", arguments=arguments,
    )  # fmt: skip
    built = BuildKit(docker_engine).build(request, Credentials("robot", "lad_secret", ()), lambda _text: None)
    images = Pushed(registry)

    steps = BuildSteps(images, Inventories(database, ledger, images)).of(built.digest, (), built.stages)  # type: ignore[arg-type]

    installed = {step.added: (step.stage, step.step) for step in steps if "pkg:pypi" in str(step.added)}
    assert installed[("pkg:pypi/anchor@1.0",)][0] == ""
    assert "echo" in installed[("pkg:pypi/anchor@1.0",)][1]
    assert installed[("pkg:pypi/winch@2.0",)][0] == "builder"
    record = BuildRecord(
        build="1", source=Digest.of(b"source"), commit="", dirty=False, dockerfile=Digest.of(DOCKERFILE.encode()),
        dockerfile_path="Dockerfile", target="runtime", arguments=arguments,
    )  # fmt: skip
    told = json.dumps(provenance(record, built, steps), ensure_ascii=False)
    assert "hush" not in told
    assert "API_TOKEN=…" in told
