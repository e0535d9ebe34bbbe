"""Base images made by mmdebstrap: the real adapter of the `BaseMaker` port.

Packages are verified by apt against a frozen snapshot and unpacked into a throw-away root; its tar stream goes straight
into the normalised layer. Downloaded packages are kept, so the second image and the check of reproducibility are quick.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import msgspec

from lading.kernel.canonical import canonical_json
from lading.kernel.digest import Digest
from lading.supply_chain.build.apt_snapshot import AptSnapshots, FrozenLists, run_tool, tool_environment
from lading.supply_chain.build.base import BaseFailed, BaseInvalid, BaseRequest, MadeBase, Package, Say
from lading.supply_chain.build.base_layer import compressor, write_layer
from lading.supply_chain.build.oci_layout import LayerFile, write_layout

_log: Final = logging.getLogger(__name__)
_RUN_SECONDS: Final = 900
_FORMAT: Final = 2  # raised when the same packages would give other bytes, so that no old image is taken for a new one
_TITLE: Final = "org.opencontainers.image.title"
_INPUTS: Final = "io.lading.inputs"
_NO_DOCUMENTATION: Final = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)
# A root that is merged from the start needs no program (and no Perl) to merge it later.
_MERGED_USR: Final = "/usr/share/mmdebstrap/hooks/merged-usr"
_BEFORE_MERGED_USR: Final = ("bullseye",)
_STAGES: Final = {
    "running apt-get update": "reading package indexes",
    "downloading packages with apt": "downloading packages",
    "extracting archives": "unpacking essential packages",
    "installing essential packages": "installing essential packages",
    "installing remaining packages inside the chroot": "installing the packages asked for",
    "creating tarball": "writing the layer",
}


@dataclass(frozen=True, slots=True)
class _Recipe:
    """All that decides what comes out."""

    request: BaseRequest
    lists: FrozenLists
    tools: dict[str, str]

    @property
    def inputs(self) -> Digest:
        """One digest for the recipe; mirrors' names have no part in it."""
        request = self.request
        wanted = [request.distribution, request.include, request.variant, request.documentation]
        return Digest.of(canonical_json([_FORMAT, wanted, str(self.lists.snapshot.digest), self.tools]))


class _Result(msgspec.Struct, frozen=True):
    """What is kept beside a finished image, to find it again without reading it."""

    manifest: str
    config: str
    layer: str
    size: int
    seconds: float
    packages: tuple[Package, ...]

    def made(self, recipe: _Recipe, layout: Path, *, reused: bool) -> MadeBase:
        return MadeBase(
            request=recipe.request,
            layout=layout,
            manifest=Digest.parse(self.manifest),
            config=Digest.parse(self.config),
            layer=Digest.parse(self.layer),
            size=self.size,
            architecture=recipe.tools["architecture"],
            packages=self.packages,
            snapshot=recipe.lists.snapshot,
            tools=recipe.tools,
            inputs=recipe.inputs,
            seconds=self.seconds,
            reused=reused,
        )


class DebianBases:
    """Makes bases of Debian releases on this machine.

    Args:
        directory: keeps snapshots, downloaded packages and finished images.
        etc: apt's configuration, read for package archives.
    """

    def __init__(self, directory: Path, etc: Path = Path("/etc/apt")) -> None:
        self._directory = directory
        self._snapshots = AptSnapshots(directory / "snapshots", etc)

    def make(self, request: BaseRequest, say: Say) -> MadeBase:
        _ensure_mmdebstrap(say)
        recipe = _Recipe(request, self._snapshots.current(request.suite, say), _tools())
        _demand_known(request, recipe.lists.lists)
        final = self._directory / "made" / recipe.inputs.hex
        if (kept := _kept(recipe, final)) is not None:
            say(f"nothing changed: {kept.manifest.short} was made from the same packages")
            return kept
        with self._scratch() as scratch:
            result = self._run(recipe, scratch, say)
            (scratch / "base.json").write_bytes(msgspec.json.encode(result))
            final.parent.mkdir(parents=True, exist_ok=True)
            try:
                scratch.rename(final)
            except OSError:
                # Somebody made the same image meanwhile; the two are equal, and theirs is in use already.
                _log.info("base image was made twice at once", extra={"inputs": str(recipe.inputs)})
        say(f"{len(result.packages)} packages, {result.size / 1e6:.1f} MB, {result.seconds:.1f} s")
        return result.made(recipe, final, reused=False)

    def again(self, made: MadeBase, say: Say) -> Digest:
        lists = self._snapshots.frozen(made.request.suite, made.snapshot)
        if lists is None:
            raise BaseFailed(
                f"The snapshot {made.snapshot.digest.short} of the package archives is not kept any more.",
                remedy="Make the base image anew first.",
            )
        with self._scratch() as scratch:
            return Digest.parse(self._run(_Recipe(made.request, lists, _tools()), scratch, say).manifest)

    def _run(self, recipe: _Recipe, scratch: Path, say: Say) -> _Result:
        started = time.monotonic()
        request, epoch = recipe.request, recipe.lists.snapshot.epoch
        blobs = scratch / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        unfinished = scratch / "layer"
        with self._mmdebstrap(request, recipe.lists, say) as stream, unfinished.open("wb") as target:
            layer = write_layer(stream, target, epoch)
        unfinished.rename(blobs / layer.digest.hex)
        created_by = f"mmdebstrap --variant={request.variant} --include={','.join(request.include)} {request.suite}"
        layout = write_layout(
            scratch,
            [LayerFile(layer.digest, layer.diff_id, layer.size, created_by)],
            architecture=recipe.tools["architecture"],
            epoch=epoch,
            config={"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["/bin/sh"]},
            annotations={_TITLE: request.distribution, _INPUTS: str(recipe.inputs)},
        )
        digests = (str(layout.manifest), str(layout.config), str(layer.digest))
        return _Result(*digests, layout.size, time.monotonic() - started, layer.packages)

    @contextmanager
    def _mmdebstrap(self, request: BaseRequest, lists: FrozenLists, say: Say) -> Iterator[IO[bytes]]:
        """Its tar stream; leaving the block waits for its end and raises what it said went wrong."""
        packages = self._directory / "packages"
        packages.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=self._directory, prefix="root-") as root:
            process = subprocess.Popen(
                _command(request, lists, packages),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=tool_environment(
                    {"SOURCE_DATE_EPOCH": str(lists.snapshot.epoch), "PYTHONHASHSEED": "0", "TMPDIR": root}
                ),
            )
            if process.stdout is None or process.stderr is None:
                raise BaseFailed("mmdebstrap has no output.")
            tail: deque[str] = deque(maxlen=15)
            listener = threading.Thread(target=_listen, args=(process.stderr, tail, say), daemon=True)
            listener.start()
            watchdog = threading.Timer(_RUN_SECONDS, _end, (process,))
            watchdog.start()
            try:
                yield process.stdout
                code = process.wait(timeout=_RUN_SECONDS)
            except BaseFailed:
                # A stream that breaks off is what follows when mmdebstrap fails: its own words say why.
                if process.wait(timeout=_RUN_SECONDS) == 0:
                    raise
                code = process.returncode
            finally:
                watchdog.cancel()
                if process.poll() is None:
                    _end(process)
                listener.join(timeout=5)
                process.stdout.close()
                process.stderr.close()
        if code != 0:
            raise _failure(request, code, list(tail))

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        self._directory.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=self._directory, prefix="making-"))
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _kept(recipe: _Recipe, directory: Path) -> MadeBase | None:
    try:
        result = msgspec.json.decode((directory / "base.json").read_bytes(), type=_Result)
    except (OSError, msgspec.MsgspecError):
        return None
    made = result.made(recipe, directory, reused=True)
    return made if made.blob(made.manifest).is_file() and made.blob(made.layer).is_file() else None


def _ensure_mmdebstrap(say: Say) -> None:
    """Install mmdebstrap where it is missing and we may; it starts no service."""
    if shutil.which("mmdebstrap", path=tool_environment({})["PATH"]):
        return
    if os.geteuid() != 0:
        raise BaseFailed("mmdebstrap is not installed here.", remedy="Install it: apt-get install mmdebstrap")
    say("installing mmdebstrap from Debian packages")
    for arguments in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", "mmdebstrap"]):
        ended = run_tool(["apt-get", *arguments], {}, _RUN_SECONDS)
        if ended.returncode != 0:
            raise BaseFailed(
                f"mmdebstrap could not be installed: apt-get {arguments[0]} failed.",
                remedy="Mend what it says below, or install mmdebstrap yourself.",
                details=tuple((ended.stdout + ended.stderr).splitlines()[-10:]),
            )


def _tools() -> dict[str, str]:
    """The tools that decide the bytes, by version."""
    found = {"compression": compressor()}
    for name in ("mmdebstrap", "apt", "dpkg"):
        ended = run_tool(["dpkg-query", "--show", "--showformat=${Version}", name], {}, 30)
        if ended.returncode != 0 or not ended.stdout:
            raise BaseFailed(f"{name} is not installed here.", remedy=f"Install it: apt-get install {name}")
        found[name] = ended.stdout.strip()
    found["architecture"] = run_tool(["dpkg", "--print-architecture"], {}, 30).stdout.strip()
    return found


def _command(request: BaseRequest, lists: FrozenLists, packages: Path) -> list[str]:
    """One run: indexes and downloaded packages are linked into the root, and new packages linked out again."""
    to_lists, to_archives = '"$1"/var/lib/apt/lists', '"$1"/var/cache/apt/archives'
    kept, frozen = shlex.quote(str(packages)), shlex.quote(str(lists.lists))
    command = [
        "mmdebstrap", "--mode=root", f"--variant={request.variant}", "--format=tar",
        "--skip=update,download/empty,essential/unlink,check/empty",
        "--dpkgopt=force-unsafe-io", f"--aptopt={lists.settings}",
        f"--setup-hook=mkdir -p {to_lists} {to_archives} && cp -al {frozen}/. {to_lists}/",
        f"--setup-hook=find {kept} -name '*.deb' -exec cp -al -t {to_archives} {{}} +",
        f"--customize-hook=find {to_archives} -name '*.deb' -exec cp -aln -t {kept} {{}} +",
    ]  # fmt: skip
    if request.suite not in _BEFORE_MERGED_USR:
        command += [f"--hook-dir={_MERGED_USR}", "--include=usr-is-merged"]
    if request.include:
        command.append(f"--include={','.join(request.include)}")
    if not request.documentation:
        command += [f"--dpkgopt={option}" for option in _NO_DOCUMENTATION]
    return [*command, request.suite, "-", str(lists.sources)]


def _listen(stream: IO[bytes], tail: deque[str], say: Say) -> None:
    for raw in stream:
        line = raw.decode("utf-8", errors="replace").rstrip()
        tail.append(line)
        if (said := _STAGES.get(line.removeprefix("I: ").rstrip("."))) is not None:
            say(said)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let mmdebstrap unmount what it mounted; end it for good when it does not."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _demand_known(request: BaseRequest, lists: Path) -> None:
    """Find misspelt packages in the frozen indexes before anything is unpacked; raises BaseInvalid."""
    wanted = {f"\nPackage: {name}\n".encode(): name for name in request.include}
    for index in sorted(lists.glob("*_Packages")):
        content = b"\n" + index.read_bytes()
        wanted = {line: name for line, name in wanted.items() if line not in content}
    if wanted:
        raise BaseInvalid(
            f"{request.distribution} has no package {', '.join(sorted(wanted.values()))}.",
            remedy="Correct the name; `apt-cache search` finds it.",
        )


def _failure(request: BaseRequest, code: int, tail: list[str]) -> BaseFailed:
    return BaseFailed(
        f"The base image of {request.distribution} could not be made: mmdebstrap ended with exit code {code}.",
        remedy="Mend what it says below; it needs root, mounts and some free disk.",
        details=tuple(tail),
    )
