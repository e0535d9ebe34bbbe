"""The main job, on a real server, a real engine and a real Docker client."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import httpx
import pytest

from e2e.conftest import Server, free_port, until, write_application
from lading.entrypoints.cli.client import ServerSaid
from lading.kernel.errors import ExitCode

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def ask(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/index.html")
    body = connection.getresponse().read().decode()
    connection.close()
    return str(json.loads(body)["version"])


def test_from_source_to_a_running_explained_patched_container(server: Server, tmp_path: Path) -> None:
    port = free_port()
    directory = tmp_path / "app"

    # A known flaw: refused, explained, and not to be pulled.
    write_application(directory, port, version="1", flawed=True)
    with pytest.raises(ServerSaid) as refused:
        server.ship(directory)
    assert refused.value.exit_code is ExitCode.REFUSED
    decision = refused.value.what.rpartition("decision ")[2].rstrip(").")
    text = server.client.get(f"/api/v1/decisions/{decision}")["text"]
    assert "raise gunicorn 21.2.0 to 22.0.0" in text
    assert "With it, the same rules allow this." in text
    assert server.client.post(f"/api/v1/decisions/{decision}/replay")["same"] is True
    flawed = server.client.get("/api/v1/images", repository="app/web")[0]["digest"]
    robot = server.client.post("/api/v1/teams/shop/robots", {"name": "ci"})["token"]
    server.docker("login", "-u", "shop/ci", "--password-stdin", server.pull, secret=robot)
    pulled = server.docker("pull", f"{server.pull}/app/web@{flawed}")
    assert pulled.returncode != 0
    assert "quarantined" in pulled.stderr

    # Mended: approved, signed, deployed, reachable.
    write_application(directory, port, version="1")
    first = server.ship(directory)
    assert first["outcome"] == "deployed"
    assert ask(port) == "1"
    image = first["images"]["app/web"]
    attested = server.client.get(f"/api/v1/images/{image}/attestations")
    assert {item["what"] for item in attested} == {"signature", "attestation"}
    assert all(item["holds"] for item in attested)
    predicate = server.client.get(f"/api/v1/images/{image}/provenance")
    dependencies = {item["name"] for item in predicate["buildDefinition"]["resolvedDependencies"]}
    assert {"source", "base/busybox:1"} <= dependencies

    # What it says that it is built on is so, by its layers.
    (base,) = server.client.get(f"/api/v1/images/{image}")["lineage"]["line"]
    assert (base["name"], base["word"], base["moved_to"]) == ("base/busybox:1", "verified", "")

    # Replaced, and a broken third version rolled back.
    write_application(directory, port, version="2")
    assert server.ship(directory)["outcome"] == "deployed"
    write_application(directory, port, version="3", broken=True)
    assert server.ship(directory)["outcome"] == "rolled-back"
    assert ask(port) == "2"

    # Logs of a container that is gone, metrics of the one that runs.
    containers = server.client.get("/api/v1/containers", all=True, workload="app/web")
    gone = [row for row in containers if row["state"] == "gone"]
    assert any(server.client.get("/api/v1/logs", subject=row["id"]) for row in gone)
    until(lambda: server.client.get("/api/v1/metrics", subject="app/web", step=5) or None)

    # A shell from outside raises an incident, with its evidence.
    running = next(row for row in containers if row["state"] == "running")
    server.docker("exec", running["id"], "sh", "-c", "id")
    opened = until(
        lambda: [row for row in server.client.get("/api/v1/incidents") if "from outside" in row["title"]] or None
    )
    assert opened[0]["workload"] == "app/web"
    server.client.post(f"/api/v1/incidents/{opened[0]['id']}/close", {"why": "it was this test"})

    # A new flaw: who has it, and what must change.
    record = {
        "id": "TEST-1", "modified": "2026-01-01T00:00:00Z",
        "affected": [{"package": {"ecosystem": "PyPI", "name": "gunicorn"},
                      "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "23.0.0"}]}]}],
    }  # fmt: skip
    answer = server.client.upload("/api/v1/advisories?source=test", [json.dumps(record).encode()], "application/json")
    assert answer["workloads"] == ["app/web"]
    where = server.client.get("/api/v1/where", q="TEST-1")
    assert [row["workload"] for row in where["containers"]] == ["app/web"]
    planned = server.wait(server.client.post("/api/v1/patches", {"advisory": "TEST-1"})["id"])
    assert planned["outcome"] == "planned"
    assert planned["plan"]["changes"][0]["fixed"] == "23.0.0"

    # The bill has no hole.
    bill = server.client.get("/api/v1/bill/app/web")
    titles = {section["title"]: section for section in bill["sections"]}
    assert len(titles) == 15
    assert [title for title, section in titles.items() if section.get("unknown")] == []
    assert bill["answers"][0]["label"] == "What is it?"

    # Revoked: refused with the reason, running copies named; and nobody changed the record.
    revoked = server.client.post(f"/api/v1/images/{image}/revoke", {"why": "leaked a key", "replaced_by": "app/web:2"})
    assert revoked["state"] == "revoked"
    # An engine keeps the manifests it pulled before, so the endpoint is asked directly.
    answer = httpx.get(f"http://{server.pull}/v2/app/web/manifests/{image}", auth=("shop/ci", robot))
    assert (answer.status_code, "leaked a key" in answer.text) == (403, True)
    assert server.client.post("/api/v1/ledger/verify")["entries"] > 100
    assert server.cli("ledger", "verify").returncode == 0
    assert "\x1b[" not in server.cli("ps").stdout


def test_a_compose_file_with_a_host_path_is_refused_in_production(server: Server, tmp_path: Path) -> None:
    directory = write_application(tmp_path / "hosty", free_port(), version="1")
    compose = directory / "compose.yaml"
    compose.write_text(compose.read_text() + '    volumes: ["/etc:/host-etc:ro"]\n')

    with pytest.raises(ServerSaid) as refused:
        server.ship(directory)

    decision = refused.value.what.rpartition("decision ")[2].rstrip(").")
    assert "workload-no-host-paths" in server.client.get(f"/api/v1/decisions/{decision}")["text"]


@pytest.mark.parametrize(
    ("file", "content", "said", "code"),
    [
        ("compose.yaml", "services: {web: {build: ., imagee: x}}\n", "imagee", ExitCode.USAGE),
        ("compose.yaml", "services: [\n", "compose.yaml:", ExitCode.USAGE),
        ("Dockerfile", "FROM base/busybox:1\nRUN [\"/bin/sh\", \"-c\", \"exit 7\"]\n", "line 2", ExitCode.FAILED),
        ("Dockerfile", "FROM nobody/has:this\n", "nobody/has:this", ExitCode.NOT_FOUND),
        ("Dockerfile", "COPY x y\n", "Dockerfile:1", ExitCode.USAGE),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_clearly(
    server: Server, tmp_path: Path, file: str, content: str, said: str, code: ExitCode
) -> None:
    directory = write_application(tmp_path / "wrong", free_port(), version="1")
    (directory / file).write_text(content)

    ended = server.cli("ship", str(directory), "--team", "shop")

    assert ended.returncode == code
    assert said in ended.stderr
    assert "next:" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
