"""Real clients against both endpoints: each pushes, pulls, lists, copies and deletes, and those that can attach
artifacts do. What they leave is compared byte for byte, without their help."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import Server
from integration.distribution.conftest import Robot
from integration.distribution.image_layout import INDEX, TAG, Layout, assert_served, push_layout, write_layout
from lading.kernel.digest import Digest
from oci_tools import oci_tool

pytestmark = pytest.mark.slow
SBOM = "application/vnd.example.sbom"


class Tool:
    """A client program with a home of its own, logged in at both endpoints."""

    def __init__(self, program: str, home: Path, wire: Server, robot: Robot) -> None:
        self.program = program
        self.home = home
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "DOCKER_CONFIG": str(home / ".docker")}
        self.environment["XDG_RUNTIME_DIR"] = str(home)
        login = base64.b64encode(f"{robot.name}:{robot.secret}".encode()).decode()
        config = {"auths": {address: {"auth": login} for address in (wire.push, wire.pull)}}
        (home / ".docker").mkdir()
        (home / "auth.json").write_text(json.dumps(config))
        (home / ".docker" / "config.json").write_text(json.dumps(config))

    def __call__(self, *words: str, fails: bool = False, cwd: Path | None = None) -> str:
        done = subprocess.run(
            [self.program, *words], env=self.environment, cwd=cwd or self.home, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert (done.returncode != 0) is fails, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout if not fails else done.stdout + done.stderr


@pytest.fixture
def layout(tmp_path: Path, request: pytest.FixtureRequest) -> Layout:
    return write_layout(tmp_path / "layout", request.node.name, 300_000)


@pytest.fixture
def tool(tmp_path: Path, wire: Server, robot: Robot) -> Callable[[str], Tool]:
    def made(name: str) -> Tool:
        if name in ("skopeo", "buildah"):
            program = shutil.which(name)
            if program is None:
                pytest.skip(f"{name} is not installed; scripts/install_test_tools.sh installs it from Debian")
        else:
            program = oci_tool(name)
        home = tmp_path / "home"
        home.mkdir()
        return Tool(program, home, wire, robot)

    return made


def referrers(wire: Server, robot: Robot, repository: str, digest: Digest) -> list[str]:
    with robot.client(wire.push) as client:
        return [one["digest"] for one in client.get(f"/v2/{repository}/referrers/{digest}").json()["manifests"]]


def status(wire: Server, robot: Robot, path: str) -> int:
    with robot.client(wire.push) as client:
        return client.get(path).status_code


def test_skopeo(wire: Server, robot: Robot, tool: Callable[[str], Tool], layout: Layout, tmp_path: Path) -> None:
    skopeo = tool("skopeo")
    here, there = f"docker://{wire.push}/conformance/skopeo", f"docker://{wire.push}/conformance/skopeo-copy"
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    copy = ("--insecure-policy", "copy", "--all", "--preserve-digests")

    skopeo(*copy, "--dest-tls-verify=false", f"oci:{layout.directory}:{TAG}", f"{here}:{TAG}")
    skopeo(*copy, *plain, f"{here}:{TAG}", f"{there}:{TAG}")
    skopeo(*copy, "--src-tls-verify=false", f"{here}:{TAG}", f"oci:{tmp_path / 'back'}:{TAG}")
    skopeo("--insecure-policy", "sync", "--all", "--src=docker", "--dest=dir", "--src-tls-verify=false", "--scoped",
           f"{wire.push}/conformance/skopeo", str(tmp_path / "synced"))  # fmt: skip

    with robot.client(wire.push) as client:
        for repository in ("conformance/skopeo", "conformance/skopeo-copy"):
            assert_served(client, repository, layout)
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"{here}:{TAG}")
    assert Digest.of(raw.encode()) == layout.index
    assert json.loads(skopeo("inspect", "--tls-verify=false", f"{here}:{TAG}"))["Architecture"] == "amd64"
    assert json.loads(skopeo("list-tags", "--tls-verify=false", here))["Tags"] == [TAG]
    assert (tmp_path / "back" / "blobs" / "sha256" / layout.index.hex).read_bytes() == layout.blobs[layout.index]
    synced = next((tmp_path / "synced").rglob("manifest.json"))
    assert Digest.of(synced.read_bytes()) == layout.index
    skopeo("delete", "--tls-verify=false", f"{there}:{TAG}")
    assert status(wire, robot, f"/v2/conformance/skopeo-copy/manifests/{TAG}") == 404


def test_crane(wire: Server, robot: Robot, tool: Callable[[str], Tool], layout: Layout, tmp_path: Path) -> None:
    crane = tool("crane")
    name = f"{wire.push}/conformance/crane"

    crane("push", "--index", "--insecure", str(layout.directory), f"{name}:pushed")
    image = crane("digest", "--insecure", f"{name}:pushed").strip()
    push_by_hand(wire, robot, "conformance/crane", layout)
    crane("copy", "--insecure", f"{name}:{TAG}", f"{wire.push}/conformance/crane-copy:{TAG}")
    crane("tag", "--insecure", f"{name}:{TAG}", "latest")
    crane("pull", "--insecure", "--format=oci", f"{name}:{TAG}", str(tmp_path / "back"))
    crane("validate", "--insecure", "--remote", f"{name}:{TAG}")

    assert image.startswith("sha256:")
    with robot.client(wire.push) as client:
        assert_served(client, "conformance/crane", layout, "latest")
        assert_served(client, "conformance/crane-copy", layout)
    assert crane("digest", "--insecure", f"{name}:{TAG}").strip() == str(layout.index)
    assert Digest.of(crane("manifest", "--insecure", f"{name}:{TAG}").encode()) == layout.index
    assert crane("ls", "--insecure", name).split() == [TAG, "latest", "pushed"]
    assert "conformance/crane-copy" in crane("catalog", "--insecure", wire.push).split()
    blob = crane("blob", "--insecure", f"{name}@{layout.images[0]}", fails=True)
    assert "BLOB_UNKNOWN" in blob or "404" in blob
    assert (tmp_path / "back" / "blobs" / "sha256" / layout.index.hex).read_bytes() == layout.blobs[layout.index]
    crane("delete", "--insecure", f"{name}:latest")
    assert status(wire, robot, "/v2/conformance/crane/manifests/latest") == 404
    assert status(wire, robot, f"/v2/conformance/crane/manifests/{TAG}") == 200


def push_by_hand(wire: Server, robot: Robot, repository: str, layout: Layout) -> None:
    with robot.client(wire.push) as client:
        push_layout(client, repository, layout)


def test_oras(wire: Server, robot: Robot, tool: Callable[[str], Tool], layout: Layout, tmp_path: Path) -> None:
    oras = tool("oras")
    name, plain = f"{wire.push}/conformance/oras", "--plain-http"
    (oras.home / "sbom.json").write_text('{"packages": []}')

    oras("cp", "--from-oci-layout", f"{layout.directory}:{TAG}", "--to-plain-http", f"{name}:{TAG}")
    by_api = json.loads(
        oras("attach", plain, "--artifact-type", SBOM, "--format", "json", f"{name}:{TAG}", "sbom.json")
    )
    found = json.loads(oras("discover", plain, "--format", "json", f"{name}:{TAG}"))
    none = json.loads(oras("discover", plain, "--format", "json", "--artifact-type", "x/y", f"{name}:{TAG}"))
    oras("pull", plain, "-o", str(tmp_path / "pulled"), f"{name}@{by_api['digest']}")
    oras(
        "cp", "-r", "--from-plain-http", "--to-plain-http", f"{name}:{TAG}", f"{wire.push}/conformance/oras-copy:{TAG}"
    )

    with robot.client(wire.push) as client:
        assert_served(client, "conformance/oras", layout)
        assert_served(client, "conformance/oras-copy", layout)
    assert [one["digest"] for one in found["referrers"]] == [by_api["digest"]]
    assert not none["referrers"]
    assert (tmp_path / "pulled" / "sbom.json").read_text() == '{"packages": []}'
    for repository in ("conformance/oras", "conformance/oras-copy"):
        assert referrers(wire, robot, repository, layout.index) == [by_api["digest"]]
    assert oras("repo", "tags", plain, name).split() == [TAG]
    oras("manifest", "delete", plain, "--force", f"{name}@{by_api['digest']}")
    assert referrers(wire, robot, "conformance/oras", layout.index) == []


def test_oras_keeps_the_tag_of_referrers_and_finds_what_the_api_knows(
    wire: Server, robot: Robot, tool: Callable[[str], Tool], layout: Layout
) -> None:
    """A client that is told to use the tag schema, and one that uses the API, see what the other one attached."""
    oras = tool("oras")
    name, attach = f"{wire.push}/conformance/fallback", ("attach", "--plain-http", "--artifact-type", SBOM)
    by_tag, by_api = ("--distribution-spec", "v1.1-referrers-tag"), ("--distribution-spec", "v1.1-referrers-api")
    push_by_hand(wire, robot, "conformance/fallback", layout)
    attached: list[str] = []
    for number, way in enumerate((by_api, by_tag, by_api, by_tag)):
        (oras.home / "note").write_text(str(number))
        made = json.loads(oras(*attach, *way, "--format", "json", f"{name}:{TAG}", "note"))
        attached.append(made["digest"])

        for seen in (by_tag, by_api):
            found = json.loads(oras("discover", "--plain-http", *seen, "--format", "json", f"{name}:{TAG}"))
            assert {one["digest"] for one in found["referrers"]} == set(attached), (number, seen)
    assert set(referrers(wire, robot, "conformance/fallback", layout.index)) == set(attached)


def test_regctl(wire: Server, robot: Robot, tool: Callable[[str], Tool], layout: Layout, tmp_path: Path) -> None:
    regctl = tool("regctl")
    name = f"{wire.push}/conformance/regctl"
    # Small chunks, so that layers go in by PATCH.
    for address in (wire.push, wire.pull):
        regctl(
            "registry",
            "set",
            "--skip-check",
            "--tls",
            "disabled",
            "--blob-chunk",
            "65536",
            "--blob-max",
            "1000",
            address,
        )

    regctl("image", "copy", f"ocidir://{layout.directory}:{TAG}", f"{name}:{TAG}")
    (regctl.home / "note").write_text("attached")
    regctl(
        "artifact", "put", "--artifact-type", SBOM, "--subject", f"{name}:{TAG}", "--file", str(regctl.home / "note")
    )
    regctl("image", "copy", "--referrers", f"{name}:{TAG}", f"{wire.push}/conformance/regctl-copy:{TAG}")
    regctl("image", "copy", f"{name}:{TAG}", f"ocidir://{tmp_path / 'back'}:{TAG}")

    with robot.client(wire.push) as client:
        assert_served(client, "conformance/regctl", layout)
        assert_served(client, "conformance/regctl-copy", layout)
    attached = referrers(wire, robot, "conformance/regctl", layout.index)
    assert len(attached) == 1
    assert referrers(wire, robot, "conformance/regctl-copy", layout.index) == attached
    assert SBOM in regctl("artifact", "list", f"{name}:{TAG}")
    assert regctl("manifest", "head", f"{name}:{TAG}").strip() == str(layout.index)
    assert regctl("tag", "ls", name).split() == [TAG]
    assert (tmp_path / "back" / "blobs" / "sha256" / layout.index.hex).read_bytes() == layout.blobs[layout.index]
    regctl("tag", "rm", f"{name}:{TAG}")
    assert status(wire, robot, f"/v2/conformance/regctl/manifests/{TAG}") == 404
    assert status(wire, robot, f"/v2/conformance/regctl/manifests/{layout.index}") == 200
    regctl("manifest", "rm", f"{name}@{layout.index}")
    assert status(wire, robot, f"/v2/conformance/regctl/manifests/{layout.index}") == 404


@pytest.mark.skipif(os.geteuid() != 0, reason="buildah with storage of its own needs root here")
def test_buildah(wire: Server, robot: Robot, tool: Callable[[str], Tool], tmp_path: Path) -> None:
    buildah = tool("buildah")
    stored = ("--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"), "--storage-driver", "vfs")
    policy = tmp_path / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    trust = ("--signature-policy", str(policy))
    (tmp_path / "content").write_text("made by buildah")
    auth = ("--tls-verify=false", "--authfile", str(buildah.home / "auth.json"))
    name = f"{wire.push}/conformance/buildah"

    container = buildah(*stored, "from", *trust, "scratch").strip()
    buildah(*stored, "copy", container, str(tmp_path / "content"), "/content")
    for kind in ("oci", "docker"):
        buildah(*stored, "commit", *trust, "--format", kind, container, f"made-{kind}")
        digest = tmp_path / f"digest-{kind}"
        buildah(*stored, "push", *trust, *auth, "--digestfile", str(digest), f"made-{kind}", f"docker://{name}:{kind}")
        with robot.client(wire.push) as client:
            answer = client.get(f"/v2/conformance/buildah/manifests/{kind}")
        assert answer.headers["docker-content-digest"] == digest.read_text().strip()
        assert ("docker" in answer.headers["content-type"]) is (kind == "docker")
        buildah(*stored, "rmi", f"made-{kind}")
        buildah(*stored, "pull", *trust, *auth, f"docker://{name}:{kind}")
    images = json.loads(buildah(*stored, "images", "--json"))
    assert {name for image in images for name in image["names"]} == {f"{name}:oci", f"{name}:docker"}


def test_every_client_pulls_what_is_approved_from_the_pull_endpoint(
    wire: Server,
    robot: Robot,
    tool: Callable[[str], Tool],
    approve: Callable[..., None],
    layout: Layout,
    tmp_path: Path,
) -> None:
    crane = tool("crane")
    programs = {name: oci_tool(name) for name in ("oras", "regctl")} | {"skopeo": shutil.which("skopeo") or "skopeo"}
    name = f"{wire.pull}/conformance/approved:{TAG}"
    push_by_hand(wire, robot, "conformance/approved", layout)
    refused = crane("pull", "--insecure", "--format=oci", name, str(tmp_path / "refused"), fails=True)
    assert "DENIED" in refused and "quarantined" in refused
    approve(*(f"conformance/approved@{digest}" for digest in (*layout.images, layout.index)))
    host = f"reg={wire.pull},tls=disabled,user={robot.name},pass={robot.secret}"
    crane("pull", "--insecure", "--format=oci", name, str(tmp_path / "crane"))
    for program, words in {
        "oras": ("cp", "--from-plain-http", name, "--to-oci-layout", f"{tmp_path / 'oras'}:{TAG}"),
        "regctl": ("--host", host, "image", "copy", name, f"ocidir://{tmp_path / 'regctl'}:{TAG}"),
        "skopeo": ("--insecure-policy", "copy", "--all", "--preserve-digests", "--src-tls-verify=false",
                   f"docker://{name}", f"oci:{tmp_path / 'skopeo'}:{TAG}"),
    }.items():  # fmt: skip
        crane.program = programs[program]
        crane(*words)
    for program in ("crane", "oras", "regctl", "skopeo"):
        for digest, content in layout.blobs.items():
            assert (tmp_path / program / "blobs" / "sha256" / digest.hex).read_bytes() == content, program
    crane.program = oci_tool("crane")
    assert "UNSUPPORTED" in crane("delete", "--insecure", name, fails=True)
    with robot.client(wire.pull) as client:
        assert client.get(f"/v2/conformance/approved/manifests/{TAG}").headers["content-type"] == INDEX
