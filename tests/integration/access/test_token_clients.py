"""Docker and skopeo log in, push and pull through the token flow, at both endpoints."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from integration.access.conftest import ACTOR, PASSWORD, Doors
from lading.identity import Role
from lading.kernel.digest import Digest
from lading.supply_chain.registry.states import State

pytestmark = pytest.mark.docker
DOCKER = next((path for path in ("/usr/bin/docker",) if Path(path).exists()), shutil.which("docker") or "docker")


def run(home: Path, *words: str, stdin: str = "", fails: bool = False, **environment: str) -> str:
    configured = {"PATH": os.environ["PATH"], "HOME": str(home), "DOCKER_CONFIG": str(home), "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(
        words, env=configured | environment, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode != 0) is fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_docker_and_skopeo_work_through_tokens(doors: Doors, docker_engine: str, tmp_path: Path) -> None:
    robot = doors.robot("shop", "client")
    doors.wiring.identity.create_person("mia", PASSWORD, actor=ACTOR)
    doors.wiring.identity.grant("person:mia", "shop", Role.VIEWER, actor=ACTOR)
    build, person = tmp_path / "build", tmp_path / "person"
    for directory in (build, person):
        directory.mkdir()
    (build / "Dockerfile").write_text('FROM scratch\nCOPY Dockerfile /file\nCMD ["/file"]\n')
    engine = {"DOCKER_HOST": docker_engine}
    name = f"{doors.push}/shop/tool:1"
    run(build, DOCKER, "build", "-t", name, str(build), **engine)
    for address, (user, secret), home in ((doors.push, robot, build), (doors.pull, ("mia", PASSWORD), person)):
        said = run(home, DOCKER, "login", "-u", user, "--password-stdin", address, stdin=secret, **engine)
        assert "Login Succeeded" in said
        said = run(home, DOCKER, "login", "-u", user, "--password-stdin", address, stdin="no", fails=True, **engine)
        assert "unauthorized" in said.lower() or "401" in said
        run(home, DOCKER, "login", "-u", user, "--password-stdin", address, stdin=secret, **engine)
    pushed = run(build, DOCKER, "push", name, **engine)
    digest = Digest.parse(pushed.partition("digest: ")[2].split()[0])
    with doors.wiring.database.write() as tx:
        doors.wiring.states.move(tx, digest, State.APPROVED, who="person:ada", why="good")
    run(build, DOCKER, "rmi", name, **engine)
    pulled = f"{doors.pull}/shop/tool:1"
    assert str(digest) in run(person, DOCKER, "pull", pulled, **engine)
    run(person, DOCKER, "rmi", pulled, **engine)

    copied = f"docker://{doors.push}/shop/copied:1"
    plain = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    user = ":".join(robot)
    source = f"docker://{doors.pull}/shop/tool:1"
    run(build, "skopeo", "copy", *plain, f"--src-creds=mia:{PASSWORD}", f"--dest-creds={user}", source, copied)
    listed = run(build, "skopeo", "list-tags", "--tls-verify=false", f"--creds={user}", copied.rpartition(":")[0])
    assert '"1"' in listed
    assert doors.wiring.registry.resolve("shop/copied", "1").digest == digest
