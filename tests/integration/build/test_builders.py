"""What holds for every builder, and what BuildKit does beyond it: cache in the registry, secrets, failing steps."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lading.kernel.digest import Digest
from lading.kernel.reference import Reference
from lading.orchestration.engines.docker.private import PrivateEngine
from lading.supply_chain.build.builder import Builder, BuildRequest, Built, Credentials
from lading.supply_chain.build.builder_memory import MemoryBuilder
from lading.supply_chain.build.buildkit import BuildKit
from lading.supply_chain.build.dockerfile import parse
from lading.supply_chain.build.errors import BuildArgumentInvalid, BuilderUnavailable, BuildFailed
from lading.supply_chain.build.provenance import BuildRecord, provenance

NOBODY = Credentials("robot", "lad_secret", ())
COPY_ONLY = """FROM scratch AS parts
COPY part /opt/part
FROM scratch
COPY --from=parts /opt /opt
COPY tool /tool
ENV COLOUR=blue
USER 1000
CMD ["/tool"]
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    directory.mkdir()
    (directory / "part").write_text(uuid.uuid4().hex)
    (directory / "tool").write_text("tool")
    return directory


@pytest.fixture(params=["memory", pytest.param("buildkit", marks=pytest.mark.docker)])
def builder(request: pytest.FixtureRequest, tmp_path: Path) -> Builder:
    if request.param == "memory":
        return MemoryBuilder(tmp_path / "images")
    return BuildKit(request.getfixturevalue("docker_engine"))


@pytest.fixture
def config_of(builder: Builder, registry: Any, tmp_path: Path) -> Callable[[Reference, Digest], Any]:
    """Read the configuration of an image from where its builder pushed it to."""

    def read(image: Reference, digest: Digest) -> Any:
        if isinstance(builder, MemoryBuilder):
            blobs = tmp_path / "images" / image.path / digest.hex / "blobs" / "sha256"
            manifest = json.loads((blobs / digest.hex).read_bytes())
            return json.loads((blobs / manifest["config"]["digest"][7:]).read_bytes())
        manifest = registry.json(image.path, str(digest))
        return json.loads(registry.blobs[manifest["config"]["digest"]])

    return read


def request_for(directory: Path, text: str, registry: Any, **more: Any) -> BuildRequest:
    image = Reference("shop/web", registry.address, "1")
    return BuildRequest(directory=directory, dockerfile=parse(text), image=image, **more)


def quietly(builder: Builder, request: BuildRequest) -> Built:
    return builder.build(request, NOBODY, lambda _text: None)


def test_an_image_is_built_from_stages_and_pushed(
    builder: Builder, registry: Any, source: Path, config_of: Callable[[Reference, Digest], Any]
) -> None:
    request = request_for(source, COPY_ONLY, registry, labels={"team": "shop"})
    built = quietly(builder, request)
    config = config_of(request.image, built.digest)["config"]
    assert (config["User"], config["Cmd"], config["Labels"]["team"]) == ("1000", ["/tool"], "shop")
    assert "COLOUR=blue" in config["Env"]
    assert len(built.steps) >= 3
    assert built.cached_steps == 0


def test_building_the_same_again_comes_from_the_cache_with_the_same_layers(
    builder: Builder, registry: Any, source: Path, config_of: Callable[[Reference, Digest], Any]
) -> None:
    request = request_for(source, COPY_ONLY, registry)
    first, second = quietly(builder, request), quietly(builder, request)
    # Not the manifest: what BuildKit writes about its cache into the configuration is not in a fixed order.
    assert config_of(request.image, second.digest)["rootfs"] == config_of(request.image, first.digest)["rootfs"]
    assert second.cached_steps == len(second.steps)


def test_a_failing_step_names_its_line_and_moves_no_tag(builder: Builder, registry: Any, source: Path) -> None:
    with pytest.raises(BuildFailed, match="line 3"):
        quietly(builder, request_for(source, "FROM scratch\nCOPY tool /tool\nCOPY missing /x\n", registry))
    assert registry.tags("shop/web") == set()


def test_a_builder_tells_its_version(builder: Builder) -> None:
    assert builder.version()


# BuildKit alone


@pytest.fixture
def shell(source: Path) -> Path:
    """A source with a static busybox, so that steps can run on an empty root."""
    busybox = next((path for path in (Path("/bin/busybox"), Path("/usr/bin/busybox")) if path.exists()), None)
    if busybox is None:
        pytest.skip("no static busybox; scripts/install_test_tools.sh installs it")
    shutil.copy(busybox, source / "busybox")
    return source


STEPS = """FROM scratch AS builder
COPY busybox /bin/sh
COPY part /part
RUN echo built > /result
FROM scratch AS runtime
COPY --from=builder /result /result
"""


@pytest.mark.docker
def test_the_cache_comes_back_from_the_registry_on_an_engine_that_forgot_it(
    docker_engine: str, registry: Any, shell: Path
) -> None:
    builder = BuildKit(docker_engine)
    first = quietly(builder, request_for(shell, STEPS, registry))
    assert first.cached_steps == 0
    assert registry.tags("shop/web") == {"1"}
    client = ["/usr/bin/docker", "-H", docker_engine]
    images = [f"{registry.address}/shop/web:{tag}" for tag in registry.tags("shop/web")]
    subprocess.run([*client, "image", "rm", "--force", *images], check=True, capture_output=True)
    subprocess.run([*client, "builder", "prune", "--all", "--force"], check=True, capture_output=True)
    second = quietly(builder, request_for(shell, STEPS, registry))
    assert second.cached_steps == len(first.steps)


@pytest.mark.docker
def test_provenance_names_stages_by_digest_and_no_secret(docker_engine: str, registry: Any, shell: Path) -> None:
    built = quietly(BuildKit(docker_engine), request_for(shell, STEPS, registry))
    record = BuildRecord(
        build="1",
        source=Digest.of(b"source"),
        commit="c" * 40,
        dirty=True,
        dockerfile=Digest.of(STEPS.encode()),
        dockerfile_path="Dockerfile",
        target="",
        arguments={"COLOUR": "blue", "API_TOKEN": "hush"},
        secrets=("site-ca",),
    )
    told = provenance(record, built)["buildDefinition"]
    stage = next(item for item in told["resolvedDependencies"] if item["name"] == "stage builder")
    assert stage["digest"]["sha256"] == built.stages["builder"].hex
    assert "hush" not in json.dumps(told)
    assert told["externalParameters"]["argumentsLeftOut"] == ["API_TOKEN"]


@pytest.mark.docker
def test_a_secret_is_there_while_a_step_runs_and_nowhere_else(
    docker_engine: str, registry: Any, shell: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "ca.pem"
    secret.write_text("hush-hush\n")
    step = "RUN --mount=type=secret,id=site-ca,target=/ca read line < /ca && test ${#line} = 9 && echo yes > /seen"
    text = f"FROM scratch\nCOPY busybox /bin/sh\nCOPY part /part\n{step}\n"
    built = quietly(BuildKit(docker_engine), request_for(shell, text, registry, secrets={"site-ca": secret}))
    assert built.digest
    assert not any(b"hush-hush" in blob for blob in registry.blobs.values())


@pytest.mark.docker
def test_the_values_of_arguments_reach_the_build_by_name(docker_engine: str, registry: Any, shell: Path) -> None:
    text = "FROM scratch\nARG COLOUR=red\nCOPY busybox /bin/sh\nRUN test $COLOUR = blue\n"
    assert quietly(BuildKit(docker_engine), request_for(shell, text, registry, arguments={"COLOUR": "blue"})).digest
    with pytest.raises(BuildArgumentInvalid):
        quietly(BuildKit(docker_engine), request_for(shell, text, registry, arguments={"PATH": "/evil"}))


@pytest.mark.docker
def test_a_failing_command_shows_its_last_lines(docker_engine: str, registry: Any, shell: Path) -> None:
    text = "FROM scratch\nCOPY busybox /bin/sh\nRUN echo about to fail; exit 7\n"
    with pytest.raises(BuildFailed, match="exit code: 7") as caught:
        quietly(BuildKit(docker_engine), request_for(shell, text, registry))
    assert any("about to fail" in line for line in caught.value.details)


def test_an_engine_that_is_not_there_is_unavailable(registry: Any, source: Path, tmp_path: Path) -> None:
    builder = BuildKit(f"unix://{tmp_path}/none.sock", client="/usr/bin/docker")
    with pytest.raises(BuilderUnavailable):
        quietly(builder, request_for(source, COPY_ONLY, registry))
    with pytest.raises(BuilderUnavailable):
        builder.version()


@pytest.mark.docker
def test_an_engine_that_dies_in_the_middle_is_unavailable_and_moves_no_tag(
    docker_engine: str, registry: Any, shell: Path, tmp_path: Path
) -> None:
    engine = PrivateEngine(tmp_path / "engine")
    started = threading.Event()
    text = "FROM scratch\nCOPY busybox /bin/sh\nRUN while true; do :; done\n"

    def kill_when_started() -> None:
        started.wait(60)
        os.kill(int((tmp_path / "engine" / "dockerd.pid").read_text()), signal.SIGKILL)

    try:
        engine.ensure(lambda _text: None)
        killer = threading.Thread(target=kill_when_started)
        killer.start()
        with pytest.raises(BuilderUnavailable, match="stopped answering"):
            BuildKit(engine.address).build(
                request_for(shell, text, registry), NOBODY, lambda step: started.set() if "COPY" in step else None
            )
        killer.join()
        assert registry.tags("shop/web") == set()
    finally:
        engine.remove(lambda _text: None)
