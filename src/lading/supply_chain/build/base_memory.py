"""Base images without package archives: the second adapter of the `BaseMaker` port, for tests and machines without apt.

It writes a root file system that holds little but a package database listing what was asked for, through the same layer
and layout code as the real one; so the images can be pushed, inventoried and judged.
"""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from lading.kernel.canonical import canonical_json
from lading.kernel.digest import Digest
from lading.supply_chain.build.base import Archive, BaseInvalid, BaseRequest, MadeBase, Say, Snapshot
from lading.supply_chain.build.base_layer import write_layer
from lading.supply_chain.build.oci_layout import LayerFile, write_layout

_ESSENTIAL: Final = ("base-files", "dash", "dpkg", "libc6")


class MemoryBases:
    """Makes bases of one made-up release of package versions.

    Args:
        directory: where finished images go.
        versions: the packages that exist and their versions; the essential ones must be among them.
        epoch: the moment of the snapshot, in seconds since 1970.
    """

    def __init__(self, directory: Path, versions: dict[str, str], epoch: int = 1_700_000_000) -> None:
        self._directory = directory
        self._versions = versions
        content = canonical_json(versions)
        self._snapshot = Snapshot((Archive("Memory", "2023-11-14T22:13:20Z", Digest.of(content)),), epoch)
        self._made: dict[Digest, MadeBase] = {}

    def make(self, request: BaseRequest, say: Say) -> MadeBase:
        names = (*_ESSENTIAL, *request.include)
        if missing := [name for name in names if name not in self._versions]:
            raise BaseInvalid(
                f"{request.distribution} has no package {', '.join(missing)}.", remedy="Correct the name."
            )
        inputs = Digest.of(canonical_json([request.distribution, request.include, str(self._snapshot.digest)]))
        if inputs in self._made:
            return replace(self._made[inputs], reused=True)
        say("writing the layer")
        self._made[inputs] = self._write(request, inputs, self._directory / inputs.hex)
        return self._made[inputs]

    def again(self, made: MadeBase, say: Say) -> Digest:
        say("writing the layer")
        self._directory.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=self._directory, prefix="again-"))
        try:
            return self._write(made.request, made.inputs, scratch).manifest
        finally:
            shutil.rmtree(scratch)

    def _write(self, request: BaseRequest, inputs: Digest, directory: Path) -> MadeBase:
        blobs = directory / "blobs" / "sha256"
        blobs.mkdir(parents=True, exist_ok=True)
        names = sorted({*_ESSENTIAL, *request.include})
        with (directory / "layer").open("wb") as target:
            layer = write_layer(io.BytesIO(self._root(request, names)), target, self._snapshot.epoch)
        (directory / "layer").rename(blobs / layer.digest.hex)
        layout = write_layout(
            directory,
            [LayerFile(layer.digest, layer.diff_id, layer.size, f"packages {','.join(names)}")],
            architecture="amd64",
            epoch=self._snapshot.epoch,
            config={"Env": ["PATH=/usr/bin:/bin"], "Cmd": ["/bin/sh"]},
            annotations={"org.opencontainers.image.title": request.distribution},
        )
        return MadeBase(
            request=request,
            layout=directory,
            manifest=layout.manifest,
            config=layout.config,
            layer=layer.digest,
            size=layout.size,
            architecture="amd64",
            packages=layer.packages,
            snapshot=self._snapshot,
            tools={"compression": "memory"},
            inputs=inputs,
            seconds=0.0,
        )

    def _root(self, request: BaseRequest, names: list[str]) -> bytes:
        status = "\n".join(
            f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {self._versions[name]}\n"
            for name in names
        )
        release = f'ID=debian\nVERSION_ID="{request.number}"\nVERSION_CODENAME={request.suite}\n'
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, text in (("./etc/os-release", release), ("./var/lib/dpkg/status", status)):
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                tar.addfile(entry, io.BytesIO(text.encode()))
        return buffer.getvalue()
