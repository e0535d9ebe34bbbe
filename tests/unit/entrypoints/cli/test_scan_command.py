"""`lading scan` from the word on the command line to the exit code, without a server and without a network."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from lading.entrypoints.cli.main import main
from saved_images import Layout, docker_archive, sha256
from tar_layers import OS_RELEASE, distribution, node_module, status, tar

BASE = tar(OS_RELEASE, status(("libc6", "2.36-9+deb12u9", "glibc")))
APP = tar(distribution("jinja2", "3.1.2"), node_module("lodash", "4.17.20"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def lading(cache: Path, capfdbinary: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    monkeypatch.setenv("LADING_API", "http://127.0.0.1:9")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capfdbinary.readouterr()
        return Ran(int(ended.value.code or 0), out.decode(), err.decode())

    return run


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "image.tar"
    path.write_bytes(docker_archive(BASE, APP, User="10001"))
    return str(path)


def test_a_threshold_decides_the_exit_code(lading: Any, image: str) -> None:
    plain = lading("scan", image)
    assert (plain.code, "CVE-2024-22195" in plain.out) == (0, True)

    refused = lading("scan", image, "--fail-on", "medium")
    assert refused.code == 3
    assert "refused:" in refused.err
    assert "at or above medium" in refused.err


def test_layers_are_read_once(lading: Any, image: str) -> None:
    lading("scan", image)
    assert ": known" in lading("scan", image).err
    assert ": known" not in lading("scan", image, "--no-cache").err


@pytest.mark.parametrize("form", ["json", "sarif", "cyclonedx", "spdx", "junit"])
def test_each_form_goes_to_standard_output_alone(lading: Any, image: str, form: str) -> None:
    ran = lading("scan", image, "-o", form)

    assert ran.code == 0
    assert "jinja2" in ran.out
    ElementTree.fromstring(ran.out) if form == "junit" else json.loads(ran.out)


def test_a_form_goes_into_a_file_also_when_it_is_refused(lading: Any, image: str, tmp_path: Path) -> None:
    file = tmp_path / "out.sarif"
    ran = lading("scan", image, "-o", "sarif", "--output-file", str(file), "--fail-on", "low")

    assert (ran.code, ran.out) == (3, "")
    assert lading("scan", image, "--output-file", str(file)).code == 2
    assert json.loads(file.read_bytes())["version"] == "2.1.0"


def test_what_was_accepted_does_not_refuse(lading: Any, image: str, tmp_path: Path) -> None:
    found = json.loads(lading("scan", image, "-o", "json").out)
    ids = {one["id"] for one in found["findings"]} | {one["rule"] for one in found["weaknesses"]}
    rows = "".join(f'[[ignore]]\nid = "{one}"\nreason = "for this test"\nuntil = 2099-01-01\n' for one in ids)
    file = tmp_path / "ignore.toml"
    file.write_text(rows)
    assert lading("scan", image, "--ignore-file", str(file)).code == 2  # a year at most

    file.write_text(rows.replace("2099-01-01", _in_a_month()))
    assert lading("scan", image, "--ignore-file", str(file), "--fail-on", "low").code == 0


def test_weaknesses_count_for_the_threshold_and_can_be_looked_for_alone(lading: Any, tmp_path: Path) -> None:
    file = tmp_path / "root.tar"
    file.write_bytes(docker_archive(BASE, User="root"))

    ran = lading("scan", str(file), "--fail-on", "medium", "--only", "misconfiguration")
    assert (ran.code, "image-runs-as-root" in ran.out) == (3, True)
    assert "weaknesses at or above medium: image-runs-as-root" in ran.err
    assert lading("scan", str(file), "--fail-on", "critical", "--only", "misconfiguration").code == 0
    assert lading("scan", str(file), "--fail-on", "medium", "--only", "secret").code == 0
    assert json.loads(lading("scan", str(file), "--only", "flaw", "-o", "json").out).get("weaknesses", []) == []
    assert lading("scan", str(file), "--only", "flaw", "--policy", str(tmp_path)).code == 2


def test_rules_judge_it_as_a_server_would(lading: Any, image: str, tmp_path: Path) -> None:
    rule = tmp_path / "rules.yaml"
    rule.write_text(
        "id: no-lodash\ntitle: lodash is not used\nstages: [deploy]\nseverity: low\nowner: shop\neach: findings\n"
        "deny: it.package == 'lodash'\nmessage: '{it.package} is in it'\n"
        "examples:\n  - {input: {findings: [{package: lodash}]}, denied: true}\n  - {input: {findings: []}, denied: false}\n"
    )
    ran = lading("scan", image, "--policy", str(rule), "-o", "sarif")

    assert ran.code == 3
    assert "no-lodash" in ran.err
    assert "lading-policy/no-lodash" in {one["ruleId"] for one in json.loads(ran.out)["runs"][0]["results"]}
    assert lading("scan", image, "--policy", str(tmp_path / "none")).code == 2


def test_what_nobody_knows_advisories_for_is_a_loud_gap(lading: Any, tmp_path: Path) -> None:
    sbom = tmp_path / "sbom.json"
    sbom.write_text(json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
        {"type": "library", "name": "a", "version": "1", "purl": "pkg:hex/a@1"}]}))  # fmt: skip

    ran = lading("scan", str(sbom))
    assert ran.code == 3
    assert "gap: no-advisories: nothing is known of Hex (1 packages were not judged)" in ran.err
    assert "--no-fail-on-gaps" in ran.err
    assert lading("scan", str(sbom), "--no-fail-on-gaps").code == 0


def test_own_advisories_take_the_place_of_the_bundled_ones(lading: Any, image: str, tmp_path: Path) -> None:
    feed = tmp_path / "own.json"
    feed.write_text(json.dumps({"id": "OWN-1", "modified": "2026-01-01T00:00:00Z", "affected": [
        {"package": {"ecosystem": "npm", "name": "lodash"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]}]}))  # fmt: skip

    found = json.loads(lading("scan", image, "--advisories", str(feed), "--no-fail-on-gaps", "-o", "json").out)

    assert [one["id"] for one in found["findings"]] == ["OWN-1"]
    assert {gap.partition(":")[0] for gap in found["gaps"]} == {"no-advisories"}
    assert lading("scan", image, "--advisories", str(tmp_path / "none.json")).code == 5


@pytest.mark.parametrize(
    ("word", "code"), [("./nothing", 4), ("shop/web:1", 5), ("UPPER CASE", 2), ("127.0.0.1:9/shop/web:1", 5)]
)
def test_a_target_that_is_not_there_has_its_exit_code(lading: Any, word: str, code: int) -> None:
    ran = lading("scan", word)
    assert (ran.code, "error:" in ran.err) == (code, True)


class Serving(BaseHTTPRequestHandler):
    """A registry of one layout, for someone who knows the secret."""

    layout: Layout
    index: dict[str, Any]

    def do_GET(self) -> None:
        kind, name = self.path.split("/")[-2:]
        body = self.layout.blobs.get(f"blobs/sha256/{name.removeprefix('sha256:')}")
        if name == "1":
            body = self.layout.blobs[f"blobs/sha256/{self.index['digest'][7:]}"]
        if self.headers.get("Authorization") != "Basic cm9ib3Q6c2VjcmV0":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="here"')
        elif body is None:
            self.send_response(404)
        else:
            self.send_response(200)
            self.send_header(
                "Content-Type", json.loads(body)["mediaType"] if kind == "manifests" else "application/octet-stream"
            )
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[str]:
    Serving.layout = layout = Layout()
    Serving.index = layout.index(layout.image(BASE), layout.image(BASE, APP, architecture="arm64"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Serving)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_image_in_a_registry_is_scanned_for_the_platform(lading: Any, registry: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    words = (
        "scan",
        f"{registry}/shop/web:1",
        "--plain-http",
        "--user",
        "robot",
        "--token-file",
        str(tmp_path / "token"),
        "-o",
        "json",
    )

    usual = json.loads(lading(*words).out)
    other = json.loads(lading(*words, "--platform", "linux/arm64").out)

    assert [one["name"] for one in usual["inventory"]["packages"]] == ["libc6"]
    assert (other["platform"], len(other["inventory"]["packages"])) == ("linux/arm64", 3)
    assert lading("scan", f"{registry}/shop/web:1", "--plain-http").code == 7
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry: {"auth": "cm9ib3Q6c2VjcmV0"}}}))
    assert lading("scan", f"{registry}/shop/web:1", "--plain-http").code == 0


def test_a_registry_that_serves_another_layer_is_found_out(lading: Any, registry: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry: {"auth": "cm9ib3Q6c2VjcmV0"}}}))
    Serving.layout.blobs[f"blobs/sha256/{sha256(BASE)}"] = BASE.replace(b"Version: 2.36-9", b"Version: 9.36-9")

    ran = lading("scan", f"{registry}/shop/web:1", "--plain-http", "--no-cache")

    assert ran.code == 9
    assert "other content" in ran.err


def test_nothing_is_asked_of_the_network(lading: Any, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert lading("scan", image).code == 0


def _in_a_month() -> str:
    from datetime import UTC, datetime, timedelta

    return str((datetime.now(UTC) + timedelta(days=30)).date())


def test_a_licence_policy_refuses_what_it_denies(lading: Any, tmp_path: Path) -> None:
    (tmp_path / "source" / "node_modules" / "one").mkdir(parents=True)
    package = {"name": "one", "version": "1.0.0", "license": "AGPL-3.0-or-later"}
    (tmp_path / "source" / "node_modules" / "one" / "package.json").write_text(json.dumps(package))
    policy = tmp_path / "licences.toml"
    policy.write_text('allow = ["permissive"]\ndeny = ["network-copyleft"]\n')
    words = ("scan", str(tmp_path / "source"), "--fail-on", "high", "--quiet")
    assert lading(*words).code == 0
    refused = lading(*words, "--licences", str(policy))
    assert (refused.code, "licence-denied" in refused.out) == (3, True)
    policy.write_text('allow = ["permissive", "AGPL-3.0-or-later"]\n')
    assert lading(*words, "--licences", str(policy)).code == 0
    policy.write_text('deny = ["no-such-licence-or-kind"]\n')
    wrong = lading(*words, "--licences", str(policy))
    assert (wrong.code, "next:" in wrong.err) == (2, True)
