"""BuildKit through the docker command line: the client that every engine from 18.09 on can talk to.

The layer cache travels through the registry as inline cache: each named stage that the target is built from is pushed
as `REPOSITORY:cache-STAGE`, the target as `REPOSITORY:cache`, and all of them are offered to the next build, wherever
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lading.kernel.digest import Digest
from lading.kernel.reference import Reference
from lading.supply_chain.build.builder import BuildRequest, Built, Credentials, Progress, Step
from lading.supply_chain.build.errors import BuilderUnavailable, BuildFailed

_BUILD_SECONDS: Final = 3_600
_TAIL: Final = 25
_LINE: Final = re.compile(r"#(?P<number>\d+) (?P<text>.*)")
_STEP: Final = re.compile(r"\[.*?\d+/\d+\] .+")
_DONE: Final = re.compile(r"DONE (?P<seconds>[\d.]+)s")
_PUSHED: Final = re.compile(r"digest: (?P<digest>sha256:[0-9a-f]{64})")
_DOCKERFILE_LINE: Final = re.compile(r"Dockerfile[^:\s]*:(?P<line>\d+)")
_LOST: Final = (
    "Cannot connect to the Docker daemon",
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
        ended = subprocess.run(
            [self._client, "version", "--format", "{{.Server.Version}}"],
            env=self._environment(Path(os.devnull)),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        if ended.returncode != 0:
            raise self._lost([ended.stderr.strip()])
        return f"Docker Engine {ended.stdout.strip()}"

    def build(self, request: BuildRequest, credentials: Credentials, progress: Progress) -> Built:
        started = time.monotonic()
        stages = [stage.name for stage in request.dockerfile.intermediate_stages(request.target)]
        stages = [name for name in stages if not name.isdigit()]
        cache = [request.image.tagged(f"cache-{name}"[:128]) for name in stages] + [request.image.tagged("cache")]
        with self._prepared(request, credentials) as (configuration, dockerfile):
            run = _Run(self._client, self._environment(configuration), progress)
            quiet = _Run(self._client, self._environment(configuration), lambda _text: None)
            run.build(self._arguments(request, dockerfile, request.image, request.target, cache))
            steps = run.steps
            digest = self._push(run, request.image)
            for name, reference in zip(stages, cache, strict=False):
                quiet.build(self._arguments(request, dockerfile, reference, name, cache))
                self._push(run, reference)
            run.command(["tag", str(request.image), str(cache[-1])])
            self._push(run, cache[-1])
        return Built(digest=digest, steps=tuple(steps), seconds=time.monotonic() - started)

    def _arguments(
        self, request: BuildRequest, dockerfile: Path, image: Reference, target: str, cache: Sequence[Reference]
    ) -> list[str]:
        arguments = ["build", "--progress=plain", f"--file={dockerfile}", f"--tag={image}"]
        arguments.append("--build-arg=BUILDKIT_INLINE_CACHE=1")
        arguments += [f"--cache-from={reference}" for reference in cache]
        arguments += [f"--build-arg={key}={value}" for key, value in request.arguments.items()]
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

    def __init__(self, client: str, environment: dict[str, str], progress: Progress) -> None:
        self._client = client
        self._environment = environment
        self._progress = progress
        self.steps: list[Step] = []

    def build(self, arguments: list[str]) -> None:
        """Run a build; raises BuildFailed and BuilderUnavailable."""
        self.steps = []
        tail: deque[str] = deque(maxlen=_TAIL)
        process = subprocess.Popen(
            [self._client, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        watchdog = threading.Timer(_BUILD_SECONDS, process.kill)
        watchdog.start()
        names: dict[str, str] = {}
        try:
            assert process.stdout is not None
            for line in process.stdout:
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
        if code != 0:
            raise _failure(code, list(tail))

    def command(self, arguments: list[str]) -> str:
        """Run another docker command; returns what it printed; raises BuildFailed and BuilderUnavailable."""
        ended = subprocess.run(
            [self._client, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_BUILD_SECONDS,
            check=False,
        )
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
        elif number in names and (done := _DONE.fullmatch(text)):
            self._ended(names.pop(number), cached=False, seconds=float(done["seconds"]))

    def _ended(self, name: str, *, cached: bool, seconds: float) -> None:
        self.steps.append(Step(name, cached, seconds))
        self._progress(f"{name[:110]}  {'cached' if cached else f'{seconds:.1f} s'}")


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


def _failure(code: int, tail: list[str], what: str = "build") -> BuildFailed | BuilderUnavailable:
    text = "\n".join(tail)
    if any(sign in text for sign in _LOST[:3]) or (tail and tail[-1].endswith(_LOST[3:])):
        return BuilderUnavailable(
            f"The Docker Engine stopped answering during the {what}.",
            remedy="Nothing was pushed under the image's tag. Start the engine and run the same command again.",
            details=tuple(tail[-8:]),
        )
    place = _DOCKERFILE_LINE.search(text)
    where = f" at line {place['line']} of its Dockerfile" if place else ""
    failed = next((line for line in reversed(tail) if "ERROR" in line or "error:" in line), f"exit code {code}")
    return BuildFailed(
        f"The {what} failed{where}: {failed.strip()[:300]}",
        remedy="Mend that step and run the same command again; what was built before it is cached.",
        details=tuple(line for line in tail if line.strip()),
    )
