"""A Lading that mirrors Debian's docker-registry, which is stopped, slowed, throttles, lies and breaks off."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.conftest import Server
from integration.mirroring.conftest import CONFIG, DockerRegistry, Mirrored, part, wait_until
from lading.kernel.digest import Digest
from lading.supply_chain.registry.manifest import COSIGN_PAYLOAD, DSSE_ENVELOPE, OCI_MANIFEST

pytestmark = pytest.mark.slow
SIGNATURE = "dev.cosignproject.cosign/signature"
EMPTY = "application/vnd.oci.empty.v1+json"


@pytest.fixture
def repository(mirrored: Mirrored) -> str:
    """The repository at the origin that is `app` below the prefix."""
    return f"{mirrored.name}/app"


@pytest.fixture(autouse=True)
def rewritten(mirrored: Mirrored) -> dict[str, Any]:
    return {"rewrites": [f"{mirrored.name}/**=**"]}


def test_an_image_is_brought_judged_and_served_byte_for_byte(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    digest = origin.image(repository, "1")
    mirrored.add(**rewritten)
    answer = mirrored.pull("1")
    assert answer.status_code == 200, answer.text
    assert Digest.of(answer.content) == digest
    assert "warning" not in answer.headers
    for blob in (answer.json()["config"], *answer.json()["layers"]):
        assert str(Digest.of(mirrored.get(f"app/blobs/{blob['digest']}").content)) == blob["digest"]
    image = mirrored.server.client.get(f"/api/v1/images/{digest}")
    assert (image["state"], image["team"]) == ("approved", "base")
    again = mirrored.pull("1")
    assert again.status_code == 200
    assert mirrored.proxy.count("GET", "/blobs/") == 2, "what is here is not fetched again"
    assert mirrored.pull("2").status_code == 404
    assert mirrored.pull(str(Digest.of(b"nothing"))).status_code == 404


def test_an_image_that_the_rules_refuse_is_not_served(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    layer = b"this is no tar at all" * 100
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}}).encode()
    body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": part(CONFIG, config),
            "layers": [part("application/vnd.oci.image.layer.v1.tar", layer)]}  # fmt: skip
    origin.put(repository, "1", OCI_MANIFEST, body, config, layer)
    mirrored.add(**rewritten)
    answer = mirrored.pull("1")
    assert answer.status_code == 403
    assert "quarantined: refused by" in answer.json()["errors"][0]["message"]
    assert mirrored.get(f"app/blobs/{Digest.of(layer)}").status_code == 403


def test_twenty_who_want_the_same_are_one_pull(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    digest = origin.image(repository, "1", size=3_000_000)
    mirrored.add(**rewritten, freshness=300)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: mirrored.pull("1"), range(20)))
    assert {(answer.status_code, Digest.of(answer.content)) for answer in answers} == {(200, digest)}
    assert mirrored.proxy.count("HEAD", "/manifests/1") == 1
    assert mirrored.proxy.count("GET", f"/manifests/{digest}") == 1
    assert mirrored.proxy.count("GET", "/blobs/") == 2


def test_an_index_comes_whole_or_for_some_platforms(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    index = origin.index(repository, "1", "amd64", "arm64")
    mirrored.add(**rewritten, platforms=["linux/amd64"])
    answer = mirrored.pull("1")
    assert answer.status_code == 200, answer.text
    assert Digest.of(answer.content) == index
    members = {item["platform"]["architecture"]: item["digest"] for item in answer.json()["manifests"]}
    assert mirrored.pull(members["amd64"]).status_code == 200
    refused = mirrored.pull(members["arm64"])
    assert refused.status_code == 403 and "linux/arm64" in refused.text
    mirrored.server.client.patch(f"/api/v1/mirror/upstreams/{mirrored.name}", {"platforms": []})
    wait_until(lambda: mirrored.pull(members["arm64"]).status_code == 200, 20, "the other platform comes, too")


def test_signatures_and_referrers_come_along(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    digest = origin.image(repository, "1")
    empty, payload = part(EMPTY, b"{}"), b'{"critical": {}}'
    subject = {"mediaType": OCI_MANIFEST, "digest": str(digest), "size": 1}
    artifact = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/x.test", "config": empty,
                "layers": [empty], "subject": subject}  # fmt: skip
    referrer = origin.put(repository, "", OCI_MANIFEST, artifact, b"{}")
    signature = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": part(CONFIG, b'{"architecture": ""}'),
                 "layers": [part(COSIGN_PAYLOAD, payload) | {"annotations": {SIGNATURE: "c2lnbmVk"}}]}  # fmt: skip
    tag = f"sha256-{digest.hex}.sig"
    signed = origin.put(repository, tag, OCI_MANIFEST, signature, b'{"architecture": ""}', payload)
    stated = {**signature, "layers": [part(DSSE_ENVELOPE, b'{"payload": ""}')]}
    statements = f"sha256-{digest.hex}.att"
    origin.put(repository, statements, OCI_MANIFEST, stated, b'{"payload": ""}')
    mirrored.add(**rewritten)
    assert mirrored.pull("1").status_code == 200
    listed = {item["digest"]: item for item in mirrored.get(f"app/referrers/{digest}").json()["manifests"]}
    assert listed[str(referrer)]["artifactType"] == "application/x.test"
    assert mirrored.pull(str(referrer)).status_code == 200
    found = mirrored.pull(tag)
    layers = [layer["digest"] for layer in found.json()["layers"]]
    assert str(Digest.of(payload)) in layers and len(layers) == 2, "beside the signature of Lading"
    assert mirrored.pull(str(signed)).status_code == 200
    held = mirrored.pull(statements).json()["layers"]
    assert stated["layers"][0]["digest"] in [layer["digest"] for layer in held], "beside the statements of Lading"
    assert {layer["mediaType"] for layer in held} == {DSSE_ENVELOPE}
    mirrored.server.client.patch(f"/api/v1/mirror/upstreams/{mirrored.name}", {"mirror": [repository]})
    wait_until(lambda: mirrored.status["synced"] != "" and not _open(mirrored), 20, "it is looked through again")
    assert [layer["digest"] for layer in mirrored.pull(tag).json()["layers"]] == layers


def test_a_moved_tag_is_noticed_by_one_question_and_a_digest_by_none(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    origin.image(repository, "1")
    mirrored.add(**rewritten)
    first = mirrored.pull("1").headers["docker-content-digest"]
    mirrored.proxy.asked.clear()
    wait_until(lambda: mirrored.proxy.count("HEAD", "/manifests/1") > 0 or not mirrored.pull("1"), 10, "it is asked")
    assert {asked[0] for asked in mirrored.proxy.asked} == {"HEAD"}
    mirrored.proxy.asked.clear()
    assert mirrored.pull(first).status_code == 200
    assert mirrored.proxy.asked == []
    second = origin.image(repository, "1")
    wait_until(lambda: Digest.of(mirrored.pull("1").content) == second, 20, "the tag has moved")


def test_a_stopped_upstream_is_stale_here_and_come_again_for_the_rest(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    digest = origin.image(repository, "1")
    mirrored.add(**rewritten)
    assert mirrored.pull("1").status_code == 200
    origin.stop()
    try:
        for _ in range(2):
            stale = mirrored.pull("1")
            assert (stale.status_code, Digest.of(stale.content)) == (200, digest)
            assert stale.headers["warning"].startswith("111 ") or "warning" in stale.headers
        missing = mirrored.pull("2")
        assert missing.status_code == 503 and int(missing.headers["retry-after"]) >= 1
        assert (mirrored.status["standing"], mirrored.status["circuit"]) != ("up", "closed")
        asked = len(mirrored.proxy.asked)
        for _ in range(5):
            assert mirrored.pull("3").status_code == 503
        assert len(mirrored.proxy.asked) - asked <= 2, "it is left alone"
    finally:
        origin.start()
    mirrored.hurry()
    wait_until(lambda: "warning" not in mirrored.pull("1").headers, 20, "it is fresh again")
    facts = mirrored.server.client.get("/api/v1/ledger", limit=300)
    kinds = [entry["kind"] for entry in facts if mirrored.name in json.dumps(entry)]
    assert {"mirror.upstream-failed", "mirror.upstream-recovered", "mirror.stale-served"} <= set(kinds)


def test_a_throttling_upstream_is_429_and_is_left_alone_as_long_as_it_said(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    digest = origin.image(repository, "1")
    mirrored.add(**rewritten)
    assert mirrored.pull("1").status_code == 200
    mirrored.proxy.fault = lambda _method, _path: "throttle"
    mirrored.proxy.retry_after = "600"
    wait_until(lambda: mirrored.pull("1").headers.get("warning", "").startswith("111"), 20, "a warning")
    assert Digest.of(mirrored.pull("1").content) == digest
    throttled = mirrored.pull("2")
    assert throttled.status_code == 429, throttled.text
    assert 500 < int(throttled.headers["retry-after"]) <= 601
    assert throttled.json()["errors"][0]["code"] == "TOOMANYREQUESTS"
    mirrored.proxy.fault = lambda _method, _path: "none"
    asked = len(mirrored.proxy.asked)
    for tag in ("3", "4"):
        assert mirrored.pull(tag).status_code == 429
    assert len(mirrored.proxy.asked) == asked
    assert (mirrored.status["standing"], mirrored.status["circuit"]) == ("throttled", "open")
    assert f'lading_mirror_circuit{{upstream="{mirrored.name}"}} 1' in _metrics(mirrored.server)


def test_a_quota_is_read_and_kept(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    origin.image(repository, "1")
    mirrored.proxy.headers = [("RateLimit-Limit", "100;w=21600"), ("RateLimit-Remaining", "7;w=21600")]
    mirrored.add(**rewritten)
    assert mirrored.pull("1").status_code == 200
    assert (mirrored.status["quota"], mirrored.status["quota_left"], mirrored.status["quota_window"]) == (100, 7, 21600)


def test_a_slow_upstream_is_not_waited_for_when_something_is_here(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    digest = origin.image(repository, "1")
    mirrored.add(**rewritten)
    assert mirrored.pull("1").status_code == 200
    mirrored.proxy.fault, mirrored.proxy.seconds = lambda _method, _path: "slow", 5.0
    stale = _when_asked(mirrored, "1")
    assert (stale.status_code, Digest.of(stale.content)) == (200, digest)
    assert stale.headers["warning"].startswith("110 ")


@pytest.mark.parametrize("what", ["/manifests/", "/blobs/"])
def test_nothing_is_served_that_is_not_what_its_digest_says(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any], what: str
) -> None:
    first = origin.image(repository, "1")
    mirrored.add(**rewritten)
    assert mirrored.pull("1").status_code == 200
    second = origin.image(repository, "1")
    mirrored.proxy.fault = lambda method, path: "lie" if method == "GET" and what in path else "none"
    wait_until(lambda: mirrored.pull("1").headers.get("warning", "").startswith("111"), 20, "a warning")
    assert Digest.of(mirrored.pull("1").content) == first
    assert mirrored.pull(str(second)).status_code == 503
    assert mirrored.status["lied"] >= 1 and mirrored.status["circuit"] == "closed"


def test_a_blob_whose_connection_is_cut_goes_on_where_it_broke_off(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    digest = origin.image(repository, "1", size=5_000_000)
    mirrored.proxy.fault = lambda method, path: "cut" if method == "GET" and "/blobs/" in path else "none"
    mirrored.proxy.cut_at = 2_000_000
    mirrored.add(**rewritten)
    answer = mirrored.pull("1")
    assert answer.status_code == 200 and Digest.of(answer.content) == digest
    parts = [asked[2] for asked in mirrored.proxy.asked if "/blobs/" in asked[1] and asked[2]]
    assert parts and all(item.startswith("bytes=") for item in parts)


def test_a_blob_that_is_cut_again_and_again_is_given_up(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    origin.image(repository, "1", size=500_000)
    mirrored.proxy.fault = lambda method, path: "cut" if method == "GET" and "/blobs/" in path else "none"
    mirrored.proxy.cut_at = 10
    mirrored.add(**rewritten)
    answer = mirrored.pull("1")
    assert answer.status_code == 503, answer.text
    assert mirrored.proxy.count("GET", "/blobs/") <= 6


def test_a_registry_with_tokens_and_redirects_gets_credentials_and_nobody_else_does(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    digest = origin.image(repository, "1")
    mirrored.proxy.credentials = "me:my-secret"
    mirrored.proxy.fault = lambda _method, _path: "redirect"
    mirrored.add(**rewritten, user="me", secret="wrong")
    denied = mirrored.pull("1")
    assert denied.status_code == 403 and "does not let us in" in denied.text
    mirrored.server.client.patch(f"/api/v1/mirror/upstreams/{mirrored.name}", {"secret": "my-secret"})
    found = mirrored.pull(str(digest))
    assert found.status_code == 200, found.text
    assert mirrored.proxy.count("GET", "/elsewhere/") == 2 and mirrored.proxy.leaked == []
    home = mirrored.server.home
    assert b"my-secret" not in (home / "data" / "lading.db").read_bytes()
    assert "my-secret" not in mirrored.server.log.read_text()


def test_a_plan_brings_what_fits_and_keeps_what_goes(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    gone = origin.image(repository, "1.0")
    for tag in ("1.1", "1.2-rc", "2.0"):
        origin.image(repository, tag)
    other = f"{mirrored.name}/tools/gcc"
    origin.image(other, "latest")
    mirrored.add(**rewritten, mirror=[f"{repository}:1.*", f"{mirrored.name}/tools/*"], deny=["*:*-rc"], every=3600)
    wait_until(lambda: mirrored.status["images"] == 3 and not mirrored.status["running"], 40, "the plan is carried out")
    assert mirrored.get("app/tags/list").json()["tags"] == ["1.0", "1.1"] or _tags(mirrored) == ["1.0", "1.1"]
    origin.remove(repository, gone)
    mirrored.hurry()
    wait_until(lambda: mirrored.status["gone"] == 1, 20, "it is noticed")
    kept = mirrored.pull("1.0")
    assert kept.status_code == 200 and "no longer" in kept.headers["warning"]


def test_a_token_is_given_for_what_is_not_here_yet(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any], robot: str
) -> None:
    digest = origin.image(repository, "1")
    mirrored.add(**rewritten)
    pull = f"http://{mirrored.server.pull}"
    wanted = f"{pull}/v2/{mirrored.name}/app/manifests/1"
    with httpx.Client(timeout=60, trust_env=False) as client:
        challenge = dict(re.findall(r'(\w+)="([^"]*)"', client.get(wanted).headers["www-authenticate"]))
        asked = {"service": challenge["service"], "scope": f"repository:{mirrored.name}/app:pull"}
        answer = client.get(challenge["realm"], params=asked, auth=("shop/ci", robot)).json()
        found = client.get(wanted, headers={"Authorization": f"Bearer {answer['token']}", "Accept": OCI_MANIFEST})
    assert found.status_code == 200 and Digest.of(found.content) == digest, found.text


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="no skopeo; scripts/install_test_tools.sh installs it")
def test_an_ordinary_client_pulls_through(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any], tmp_path: Path, robot: str
) -> None:
    digest = origin.image(repository, "1")
    mirrored.add(**rewritten)
    source = f"docker://{mirrored.server.pull}/{mirrored.name}/app:1"
    command = [
        "skopeo",
        "copy",
        "--src-tls-verify=false",
        "--src-creds",
        f"shop/ci:{robot}",
        source,
        f"dir:{tmp_path}/app",
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr
    assert Digest.of((tmp_path / "app" / "manifest.json").read_bytes()) == digest


def test_the_command_line_manages_upstreams(mirrored: Mirrored, origin: DockerRegistry, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("my-password\n")
    origin.image(f"{mirrored.name}/app", "1")
    name, run = mirrored.name, mirrored.server.cli
    refused = run("registry", "mirror", "add", name, mirrored.proxy.address, "--team", "base")
    assert refused.returncode == 2 and "no TLS" in refused.stderr
    added = run("registry", "mirror", "add", name, mirrored.proxy.address, "--team", "base", "--plain-http",
                "--user", "me", "--secret-file", str(secret), "--rewrite", f"{name}/**=**", "--deny", "*:latest")  # fmt: skip
    assert added.returncode == 0, added.stderr
    assert run("registry", "mirror", "set", name, "--deny", "", "--freshness", "60").returncode == 0
    upstream = next(row for row in mirrored.server.client.get("/api/v1/mirror/upstreams") if row["name"] == name)
    assert (upstream["deny"], upstream["freshness"], upstream["user"]) == ([], 60, "me")
    assert "my-password" not in json.dumps(upstream)
    assert mirrored.pull("1").status_code == 200
    assert name in run("registry", "mirror", "status").stdout
    assert run("registry", "mirror", "rm", name).returncode == 0
    assert mirrored.pull("1").status_code == 200, "what came stays"


def test_a_killed_process_leaves_no_half_image_and_the_next_one_goes_on(
    mirrored: Mirrored, origin: DockerRegistry, repository: str, rewritten: dict[str, Any]
) -> None:
    digest = origin.image(repository, "1", size=2_000_000)
    mirrored.proxy.fault = lambda method, path: "slow" if method == "GET" and "/blobs/" in path else "none"
    mirrored.proxy.seconds = 4.0
    mirrored.add(**rewritten)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(mirrored.pull, "1")
        wait_until(lambda: mirrored.proxy.count("GET", "/blobs/") > 0, 20, "blobs are under way")
        worker = _process(mirrored.server, "worker")
        os.kill(worker, 9)
        mirrored.proxy.fault = lambda _method, _path: "none"
        waiting.result()
    wait_until(lambda: mirrored.pull("1").status_code == 200, 40, "another worker brings it")
    assert Digest.of(mirrored.pull("1").content) == digest
    assert _process(mirrored.server, "worker") != worker


def _process(server: Server, role: str) -> int:
    """The process of a role of a server."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            environment = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        ours = f"LADING_DATA={server.home / 'data'}".encode() in environment
        if ours and b"lading.entrypoints.server.role" in words and role.encode() in words:
            return int(entry.name)
    raise AssertionError(f"no {role} runs")


def _when_asked(mirrored: Mirrored, tag: str) -> Any:
    """A pull that asks the upstream: what was answered within the last second is given again without."""
    answers: list[Any] = []

    def warned() -> bool:
        answers.append(mirrored.pull(tag))
        return "warning" in answers[-1].headers

    wait_until(warned, 20, "a warning")
    return answers[-1]


def _open(mirrored: Mirrored) -> int:
    return int(mirrored.status["waiting"] + mirrored.status["running"])


def _metrics(server: Server) -> str:
    return httpx.get(f"{server.api}/metrics", trust_env=False).text


def _tags(mirrored: Mirrored) -> list[str]:
    found = mirrored.get("app/tags/list").json()["tags"]
    return [tag for tag in found if not tag.startswith("sha256-")]
