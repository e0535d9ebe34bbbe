"""`lading where|report|diff|scan` against a real server: what is asked of it, and what is brought to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import Server, until
from pushing import PushedImage, Pusher

pytestmark = pytest.mark.slow
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "reports"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("asked"), "unix:///nonexistent/docker.sock")
    made.start()
    made.client.post("/api/v1/teams", {"team": "shop"})
    yield made
    made.client.close()
    made.stop()


@pytest.fixture(scope="module")
def token(alone: Server) -> str:
    return str(alone.client.post("/api/v1/teams/shop/robots", {"name": "ci"})["token"])


@pytest.fixture(scope="module")
def pushed(alone: Server, token: str) -> tuple[PushedImage, PushedImage]:
    pusher = Pusher(alone.push, "shop/ci", token)
    images = pusher.push("shop/web", "1"), pusher.push("shop/web", "2")
    pusher.close()
    until(lambda: all(alone.client.get("/api/v1/decisions", subject=f"image:{one.digest}") for one in images))
    return images


def run(server: Server, *words: str, code: int = 0) -> str:
    ended = server.cli(*words)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return str(ended.stdout)


def test_a_report_is_attached_shown_and_judged_by(alone: Server, pushed: Any) -> None:
    answer = json.loads(run(alone, "report", "add", "shop/web:1", str(FIXTURES / "trivy-flaws.json"), "-o", "json"))
    assert (answer["tool"], answer["kind"], answer["image"], answer["known"]) == (
        "trivy",
        "vulnerability",
        pushed[0].digest,
        False,
    )
    assert "was attached before" in run(alone, "report", "add", "shop/web:1", str(FIXTURES / "trivy-flaws.json"))

    assert "trivy" in run(alone, "image", "show", "shop/web:1")
    assert "trivy" in run(alone, "report", "ls", "shop/web:1")
    assert "trivy" in run(alone, "bill", pushed[0].digest)
    found = alone.client.get("/api/v1/images/shop/web:1/findings")
    assert {one["id"]: one["reported_by"] for one in found}["CVE-2099-0001"] == ["trivy"]
    held = alone.client.get("/api/v1/images/shop/web:1/attestations")
    assert "https://in-toto.io/attestation/vulns/v0.1" in {one["predicate_type"] for one in held if one["holds"]}
    assert run(alone, "report", "add", "shop/web:1", __file__, code=2) == ""


def test_results_of_a_code_scanner_are_listed_with_file_and_line(alone: Server, pushed: Any) -> None:
    run(alone, "report", "add", "shop/web:1", str(FIXTURES / "bandit.sarif"))
    rows = json.loads(run(alone, "report", "results", "shop/web:1", "-o", "json"))
    assert {(row["rule"], row["severity"], row["line"]) for row in rows} >= {("B602", "high", 5)}


def test_where_answers_for_flaws_images_and_teams(alone: Server, pushed: Any) -> None:
    run(alone, "report", "add", "shop/web:2", str(FIXTURES / "grype.json"))
    flaw = json.loads(run(alone, "where", "CVE-2099-0001", "-o", "json"))
    assert (flaw["kind"], pushed[1].digest in {row["digest"] for row in flaw["images"]}) == ("flaw", True)
    assert json.loads(run(alone, "where", pushed[0].digest, "-o", "json"))["images"][0]["tags"] == ["1"]
    assert json.loads(run(alone, "where", "shop", "-o", "json"))["kind"] == "team"
    assert "No image has it." in alone.cli("where", "CVE-1900-1").stderr


def test_images_that_the_server_knows_are_compared_by_name(alone: Server, pushed: Any) -> None:
    difference = json.loads(run(alone, "diff", "shop/web:1", "shop/web:2", "-o", "json", "--no-cache"))

    assert [difference[side]["digest"] for side in ("before", "after")] == [one.digest for one in pushed]
    assert difference["layers_added"] != []
    assert "shop/web:2" in run(alone, "diff", "server:shop/web:1", "shop/web:2", "--no-cache")


def test_a_decision_comes_as_sarif_and_junit(alone: Server, pushed: Any, tmp_path: Path) -> None:
    decision = alone.client.get("/api/v1/decisions", subject=f"image:{pushed[0].digest}")[0]["id"]

    assert json.loads(run(alone, "policy", "explain", decision, "-o", "sarif"))["version"] == "2.1.0"
    run(alone, "policy", "explain", decision, "-o", "junit", "--output-file", str(tmp_path / "out.xml"))
    assert (tmp_path / "out.xml").read_bytes().startswith(b"<?xml")


def test_an_image_in_the_registry_is_scanned_from_there(alone: Server, pushed: Any, token: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token)
    ended = alone.cli(
        "scan", f"{alone.push}/shop/web:1", "--plain-http", "--user", "shop/ci", "--token-file", str(tmp_path / "token"),
        "--no-cache", "--no-fail-on-gaps", "-o", "json",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["digest"] == pushed[0].digest
