"""Images without an engine: the second adapter of the `Builder` port, for tests and for Dockerfiles that only copy.

It carries out FROM scratch, COPY from the source or an earlier stage, ENV, LABEL, USER, CMD and ENTRYPOINT,
deterministically, and keeps the finished images in OCI image layouts in a directory in place of a registry.
Instructions that need a running system (RUN) fail as a failing step would.
"""

from __future__ import annotations

import gzip
import io
import json
import shlex
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from lading.kernel.canonical import canonical_json
from lading.kernel.digest import Digest
from lading.supply_chain.build.builder import BuildRequest, Built, Credentials, Progress, Step
from lading.supply_chain.build.dockerfile import Dockerfile
from lading.supply_chain.build.errors import BuildFailed
from lading.supply_chain.build.instructions import Instruction
from lading.supply_chain.build.oci_layout import LayerFile, write_layout

_EPOCH: Final = 1_700_000_000
_IGNORED: Final = frozenset({"ARG", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "SHELL", "VOLUME", "WORKDIR"})


@dataclass(frozen=True)
class _Tree:
    """The files of a stage so far, by absolute path without the leading slash, and its configuration."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


class MemoryBuilder:
    """Builds copy-only images.

    Args:
        directory: finished images are in `directory/REPOSITORY/HEX`, and `images` says which tag is which.
    """

    name = "MemoryBuilder"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._done: set[Digest] = set()
        self.images: dict[str, Digest] = {}

    def version(self) -> str:
        return "1"

    def build(self, request: BuildRequest, credentials: Credentials, progress: Progress) -> Built:
        del credentials
        run = _Run(request, self._done, progress)
        tree = run.target()
        digest = self._keep(tree, request)
        self.images[str(request.image)] = digest
        self._done |= run.seen
        return Built(digest=digest, steps=tuple(run.steps), seconds=0.0)

    def _keep(self, tree: _Tree, request: BuildRequest) -> Digest:
        self._directory.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=self._directory))
        plain = _tar(tree.files)
        squeezed = gzip.compress(plain, mtime=0)
        layer = Digest.of(squeezed)
        blobs = scratch / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        (blobs / layer.hex).write_bytes(squeezed)
        layout = write_layout(
            scratch,
            [LayerFile(layer, Digest.of(plain), len(squeezed), "COPY")],
            architecture="amd64",
            epoch=_EPOCH,
            config={**tree.config, "Labels": {**tree.config.get("Labels", {}), **request.labels}},
            annotations={},
        )
        final = self._directory / request.image.path / layout.manifest.hex
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():
            shutil.rmtree(scratch)
        else:
            scratch.rename(final)
        return layout.manifest


class _Run:
    """One build: stages in order, and which steps were done before with the same content."""

    def __init__(self, request: BuildRequest, done: set[Digest], progress: Progress) -> None:
        self._request = request
        self._done = done
        self._progress = progress
        self._trees: dict[str, _Tree] = {}
        self.steps: list[Step] = []
        self.seen: set[Digest] = set()

    def target(self) -> _Tree:
        file = self._request.dockerfile
        wanted = self._request.target or file.stages[-1].name
        name = ""
        for instruction, stage in _by_stage(file):
            if stage.name != name:
                name = stage.name
                if stage.base is not None:
                    raise _failed(instruction, f"{stage.base} cannot be built on here, only scratch")
                self._trees[name] = self._trees[stage.parent] if stage.parent else _Tree()
            if instruction.keyword != "FROM":
                self._trees[name] = self._step(instruction, self._trees[name])
        if wanted not in self._trees:
            raise BuildFailed(f"The Dockerfile has no stage {wanted!r}.", remedy="Correct the target.")
        return self._trees[wanted]

    def _step(self, instruction: Instruction, tree: _Tree) -> _Tree:
        if instruction.keyword in _IGNORED:
            return tree
        after = self._copied(instruction, tree) if instruction.keyword == "COPY" else _configured(instruction, tree)
        key = Digest.of(_tar(after.files) + canonical_json([dict(after.config), instruction.arguments]))
        self.seen.add(key)
        step = Step(f"{instruction.keyword} {instruction.arguments}", cached=key in self._done, seconds=0.0)
        self.steps.append(step)
        self._progress(step.name)
        return after

    def _copied(self, instruction: Instruction, tree: _Tree) -> _Tree:
        words = shlex.split(instruction.arguments)
        flags, paths = [word for word in words if word.startswith("--")], [w for w in words if not w.startswith("--")]
        stage = next((flag.partition("=")[2].lower() for flag in flags if flag.startswith("--from=")), "")
        if len(paths) < 2:
            raise _failed(instruction, "COPY needs a source and a destination")
        *sources, target = paths
        files = dict(tree.files)
        for source in sources:
            taken = _from_tree(self._trees[stage].files, source) if stage else self._from_source(source)
            if not taken:
                raise _failed(instruction, f"{source!r} not found")
            files |= _placed(taken, target, single=len(sources) == 1)
        return replace(tree, files=files)

    def _from_source(self, source: str) -> dict[str, bytes]:
        path = (self._request.directory / source.strip("/")).resolve()
        root = self._request.directory.resolve()
        if not path.is_relative_to(root) or not path.exists():
            return {}
        if path.is_file():
            return {"": path.read_bytes()}
        return {
            file.relative_to(path).as_posix(): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()
        }


def _by_stage(file: Dockerfile) -> list[tuple[Instruction, Any]]:
    found, number = [], -1
    for instruction in file.instructions:
        number += instruction.keyword == "FROM"
        if number >= 0:
            found.append((instruction, file.stages[number]))
    return found


def _configured(instruction: Instruction, tree: _Tree) -> _Tree:
    said, config = instruction.arguments, dict(tree.config)
    if instruction.keyword in ("ENV", "LABEL"):
        pairs = dict(word.partition("=")[::2] for word in shlex.split(said))
        if instruction.keyword == "LABEL":
            config["Labels"] = {**config.get("Labels", {}), **pairs}
        else:
            config["Env"] = [*config.get("Env", []), *(f"{key}={value}" for key, value in pairs.items())]
    elif instruction.keyword == "USER":
        config["User"] = said
    elif instruction.keyword in ("CMD", "ENTRYPOINT"):
        config["Cmd" if instruction.keyword == "CMD" else "Entrypoint"] = _command(said)
    else:
        raise _failed(instruction, "this instruction needs an engine")
    return replace(tree, config=config)


def _command(said: str) -> list[str]:
    try:
        words = json.loads(said)
    except ValueError:
        return ["/bin/sh", "-c", said]
    return [str(word) for word in words] if isinstance(words, list) else ["/bin/sh", "-c", said]


def _from_tree(files: Mapping[str, bytes], source: str) -> dict[str, bytes]:
    wanted = source.strip("/")
    if wanted in files:
        return {"": files[wanted]}
    prefix = f"{wanted}/" if wanted else ""
    return {name.removeprefix(prefix): content for name, content in files.items() if name.startswith(prefix)}


def _placed(taken: Mapping[str, bytes], target: str, *, single: bool) -> dict[str, bytes]:
    base = target.strip("/")
    if "" in taken and (target.endswith("/") or not single):
        raise BuildFailed(f"COPY to the directory {target!r} needs a file name here.", remedy="Name the file.")
    return {str(PurePosixPath(base) / name) if name else base: content for name, content in taken.items()}


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(files[name]), _EPOCH, 0o755
            tar.addfile(entry, io.BytesIO(files[name]))
    return buffer.getvalue()


def _failed(instruction: Instruction, why: str) -> BuildFailed:
    return BuildFailed(
        f"The build failed at line {instruction.first} of its Dockerfile: {why}.",
        remedy="Mend that step and run the same command again.",
        details=(f"{instruction.keyword} {instruction.arguments}",),
    )
