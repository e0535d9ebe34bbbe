"""BuildKit through the docker command line: the client that every engine from 18.09 on can talk to.

The layer cache travels through the registry as inline cache: each named stage that the target is built from is pushed
as `REPOSITORY/build-cache:STAGE`, the target as `…:_whole`, and all of them are offered to the next build, wherever
that runs. Registries and credentials are those of this build only (DOCKER_CONFIG in a temporary directory).
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lading.kernel.digest import Digest
from lading.kernel.reference import Reference
from lading.supply_chain.build.builder import BuildRequest, Built, Credentials, Progress, Step
from lading.supply_chain.build.dockerfile import Dockerfile
from lading.supply_chain.build.errors import BuildArgumentInvalid, BuilderUnavailable, BuildFailed

_BUILD_SECONDS: Final = 3_600
_TAIL: Final = 25
_WHOLE: Final = "_whole"
CACHE: Final = "build-cache"
_LINE: Final = re.compile(r"#(?P<number>\d+) (?P<text>.*)")
_STEP: Final = re.compile(r"\[.*?\d+/\d+\] .+")
_FROM_STEP: Final = re.compile(r"\[[^\]]*\] FROM ")
_DONE: Final = re.compile(r"DONE (?P<seconds>[\d.]+)s")
_PUSHED: Final = re.compile(r"digest: (?P<digest>sha256:[0-9a-f]{64})")
_ARGUMENT_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,100}")
_CLIENT_VARIABLES: Final = frozenset({"PATH", "HOME", "LD_PRELOAD", "LD_LIBRARY_PATH", "GODEBUG"})
_LOST: Final = (
    "cannot connect to the docker daemon",
    "error during connect",
    "connection refused",
    "EOF",
    "broken pipe",
)


class BuildKit:
    """Builds on the engine at `address`.

    Args:
        address: of the Docker Engine, such as `unix:///var/run/docker.sock`.
        client: the docker command; by default the first on the machine that can drive BuildKit.
    """

    name = "BuildKit"

    def __init__(self, address: str, client: str = "") -> None:
        self._address = address
        self._client = client or find_client()

    def version(self) -> str:
        try:
            ended = subprocess.run(
                [self._client, "version", "--format", "{{.Server.Version}}"],
                env=self._environment(Path(os.devnull)),
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise self._lost([str(error)]) from error
        if ended.returncode != 0:
            raise self._lost([ended.stderr.strip()])
        return f"Docker Engine {ended.stdout.strip()}"

    def build(self, request: BuildRequest, credentials: Credentials, progress: Progress) -> Built:
        started = time.monotonic()
        stages = [stage.name for stage in request.dockerfile.intermediate_stages(request.target)]
        stages = [name for name in stages if not name.isdigit()]
        cache = [cache_reference(request.image, name) for name in [*stages, _WHOLE]]
        pushed: dict[str, Digest] = {}
        with self._prepared(request, credentials) as (configuration, dockerfile):
            environment = self._environment(configuration) | _by_environment(request.arguments)
            run = _Run(self._client, environment, request.dockerfile, progress)
            quiet = _Run(self._client, environment, request.dockerfile, lambda _text: None)
            run.build(self._arguments(request, dockerfile, request.image, request.target, cache))
            for name, reference in zip(stages, cache, strict=False):
                quiet.build(self._arguments(request, dockerfile, reference, name, cache))
                pushed[name] = self._push(quiet, reference)
            run.command(["tag", str(request.image), str(cache[-1])])
            self._push(run, cache[-1])
            # Last, so that a failure before it leaves the image's tag as it was.
            digest = self._push(run, request.image)
        return Built(digest=digest, steps=tuple(run.steps), seconds=time.monotonic() - started, stages=pushed)

    def _arguments(
        self, request: BuildRequest, dockerfile: Path, image: Reference, target: str, cache: Sequence[Reference]
    ) -> list[str]:
        arguments = ["build", "--progress=plain", f"--file={dockerfile}", f"--tag={image}"]
        arguments.append("--build-arg=BUILDKIT_INLINE_CACHE=1")
        arguments += [f"--cache-from={reference}" for reference in cache]
        arguments += [f"--build-arg={key}" for key in request.arguments]
        arguments += [f"--label={key}={value}" for key, value in request.labels.items()]
        arguments += [f"--secret=id={key},src={path}" for key, path in request.secrets.items()]
        arguments += [f"--target={target}"] if target else []
        return [*arguments, str(request.directory)]

    def _push(self, run: _Run, image: Reference) -> Digest:
        output = run.command(["push", str(image)])
        match = _PUSHED.search(output)
        if match is None:
            raise BuildFailed(f"Pushing {image} gave no digest.", details=tuple(output.splitlines()[-5:]))
        return Digest.parse(match["digest"])

    @contextmanager
    def _prepared(self, request: BuildRequest, credentials: Credentials) -> Iterator[tuple[Path, Path]]:
        """A docker configuration with the credentials, and the pinned Dockerfile; both are gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="lading-build-") as scratch:
            secret = base64.b64encode(f"{credentials.user}:{credentials.secret}".encode()).decode()
            auths = {registry: {"auth": secret} for registry in credentials.registries}
            configuration = Path(scratch)
            (configuration / "config.json").write_text(json.dumps({"auths": auths}), encoding="utf-8")
            dockerfile = configuration / "Dockerfile"
            dockerfile.write_text(request.dockerfile.pinned(request.pins), encoding="utf-8")
            ignore = request.directory / ".dockerignore"
            if ignore.is_file():
                shutil.copyfile(ignore, configuration / "Dockerfile.dockerignore")
            yield configuration, dockerfile

    def _environment(self, configuration: Path) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(configuration),
            "DOCKER_CONFIG": str(configuration),
            "DOCKER_HOST": self._address,
            "DOCKER_BUILDKIT": "1",
        }

    def _lost(self, details: Sequence[str]) -> BuilderUnavailable:
        return BuilderUnavailable(
            f"The Docker Engine at {self._address} does not answer.",
            remedy="Start it, or run `lading doctor`; then build again.",
            details=tuple(line for line in details if line),
        )


class _Run:
    """Runs docker commands of one build, reads BuildKit's plain progress and keeps the steps."""

    def __init__(self, client: str, environment: dict[str, str], dockerfile: Dockerfile, progress: Progress) -> None:
        self._client = client
        self._dockerfile = dockerfile
        self._environment = environment
        self._progress = progress
        self.steps: list[Step] = []
        self._failed = ""

    def build(self, arguments: list[str]) -> None:
        """Run a build; raises BuildFailed and BuilderUnavailable."""
        self.steps = []
        tail: deque[str] = deque(maxlen=_TAIL)
        try:
            process = subprocess.Popen(
                [self._client, *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise BuilderUnavailable(f"{self._client} cannot be started: {error.strerror}.") from error
        late = threading.Event()
        watchdog = threading.Timer(_BUILD_SECONDS, _end, (process, late))
        watchdog.start()
        names: dict[str, str] = {}
        try:
            for line in process.stdout or ():
                tail.append(line.rstrip()[:500])
                self._read(line, names)
            code = process.wait()
        finally:
            watchdog.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if late.is_set():
            raise _too_long("build", list(tail))
        if code != 0:
            raise _failure(code, list(tail), "build", _line_of(self._failed, self._dockerfile))

    def command(self, arguments: list[str]) -> str:
        """Run another docker command; returns what it printed; raises BuildFailed and BuilderUnavailable."""
        try:
            ended = subprocess.run(
                [self._client, *arguments],
                env=self._environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_BUILD_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _too_long(arguments[0], []) from error
        except OSError as error:
            raise BuilderUnavailable(f"{self._client} cannot be started: {error.strerror}.") from error
        if ended.returncode != 0:
            raise _failure(ended.returncode, (ended.stdout + ended.stderr).splitlines()[-_TAIL:], arguments[0])
        return ended.stdout

    def _read(self, line: str, names: dict[str, str]) -> None:
        match = _LINE.match(line)
        if match is None:
            return
        number, text = match["number"], match["text"].strip()
        if _STEP.fullmatch(text):
            names[number] = text
        elif number in names and text == "CACHED":
            self._ended(names.pop(number), cached=True, seconds=0.0)
        elif number in names and text.startswith("ERROR"):
            self._failed = names[number]
        elif number in names and (done := _DONE.fullmatch(text)):
            self._ended(names.pop(number), cached=False, seconds=float(done["seconds"]))

    def _ended(self, name: str, *, cached: bool, seconds: float) -> None:
        if _FROM_STEP.match(name) is None:
            self.steps.append(Step(name, cached, seconds))
        self._progress(f"{name[:110]}  {'cached' if cached else f'{seconds:.1f} s'}")


def cache_reference(image: Reference, stage: str) -> Reference:
    """Where the layer cache of a stage is kept: beside the image, in a repository that nobody takes for an image."""
    return Reference(f"{image.path}/{CACHE}", image.domain, stage[:128])


def find_client() -> str:
    """The docker command that can drive BuildKit: Debian's own can by itself, newer ones need the buildx plug-in.

    Raises:
        BuilderUnavailable: there is none.
    """
    found = [path for path in ("/usr/bin/docker", shutil.which("docker")) if path and Path(path).exists()]
    for client in dict.fromkeys(found):
        shown = subprocess.run(
            [client, "version", "--format", "{{.Client.Version}}"], capture_output=True, text=True, check=False
        )
        major = shown.stdout.strip().partition(".")[0]
        if major.isdigit() and int(major) < 23:
            return client
        if subprocess.run([client, "buildx", "version"], capture_output=True, check=False).returncode == 0:
            return client
    raise BuilderUnavailable(
        "No docker command on this machine can drive BuildKit.",
        remedy="Install Debian's docker.io, or the docker-buildx plug-in for the docker that is there.",
    )


def _by_environment(arguments: Mapping[str, str]) -> dict[str, str]:
    """Build arguments as the client takes them from its environment, so that no process list shows their values.

    Raises:
        BuildArgumentInvalid: a name would change how the client itself runs.
    """
    for name in arguments:
        if _ARGUMENT_NAME.fullmatch(name) is None or name in _CLIENT_VARIABLES or name.startswith("DOCKER_"):
            raise BuildArgumentInvalid(
                f"{name[:60]!r} cannot be the name of a build argument.", remedy="Give it another name."
            )
    return dict(arguments)


def _too_long(what: str, tail: list[str]) -> BuildFailed:
    return BuildFailed(
        f"The {what} took longer than {_BUILD_SECONDS // 60} minutes and was ended.",
        remedy="See which step hangs; a download behind a proxy is the usual one.",
        details=tuple(line for line in tail if line.strip()),
    )


def _line_of(step: str, dockerfile: Dockerfile) -> int:
    """The line of the instruction that a step of the progress carries out; 0 when its text was changed on the way."""
    text = " ".join(step.partition("] ")[2].split())
    lines = [
        item.first for item in dockerfile.instructions if " ".join(f"{item.keyword} {item.arguments}".split()) == text
    ]
    return lines[0] if len(lines) == 1 else 0


def _failure(code: int, tail: list[str], what: str, line: int = 0) -> BuildFailed | BuilderUnavailable:
    text = "\n".join(tail)
    if any(sign in text.lower() for sign in _LOST[:3]) or (tail and tail[-1].endswith(_LOST[3:])):
        return BuilderUnavailable(
            f"The Docker Engine stopped answering during the {what}.",
            remedy="Nothing was pushed under the image's tag. Start the engine and run the same command again.",
            details=tuple(tail[-8:]),
        )
    where = f" at line {line} of its Dockerfile" if line else ""
    failed = next((line for line in reversed(tail) if "ERROR" in line or "error:" in line), f"exit code {code}")
    return BuildFailed(
        f"The {what} failed{where}: {failed.strip()[:300]}",
        remedy="Mend that step and run the same command again; what was built before it is cached.",
        details=tuple(line for line in tail if line.strip()),
    )


def _end(process: subprocess.Popen[str], late: threading.Event) -> None:
    late.set()
    process.kill()
