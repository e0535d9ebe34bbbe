"""The public conformance suite of OCI distribution, against `lading up`: the push endpoint in full, the pull endpoint
read-only with approved content.

What the suite skips is listed here with the reason; a case that it skips beyond those fails the test.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from e2e.conftest import Server
from integration.distribution.conftest import Robot
from integration.registry.conftest import MANIFEST, make_manifest, push_blob, simple_image
from lading.kernel.digest import Digest
from oci_tools import oci_tool

pytestmark = pytest.mark.slow
# At 1.1 the suite leaves out by itself what only a later version asks for; as `dev` it runs that too.
LEFT_OUT = {"1.1": {"blob-post-cancel"}, "dev": set[str]()}
LEAST = {"1.1": 690, "dev": 730}


_LINE = re.compile(r"(?P<indent> *)(?P<name>OCI Conformance Test[^:]*): (?P<status>Pass|Skip|FAIL|Disabled|Error)")
# What the pull endpoint is not asked, because nothing is written there.
WRITING = re.compile(r"/(read-only/(push|delete)|invalid-digest-format/(manifest-put|delete)|sha(256|512) blobs)")
CONFIG, EMPTY = b"application/vnd.oci.image.config.v1+json", b"application/vnd.oci.empty.v1+json"


class Report(NamedTuple):
    """How many cases there were of each kind, which did not pass, and all that was said."""

    count: Counter[str]
    failed: list[str]
    skipped: set[str]
    text: str


def run(registry: str, robot: Robot, results: Path, **environment: str) -> Report:
    """Run the suite against an endpoint."""
    said = {
        "OCI_REGISTRY": registry, "OCI_TLS": "disabled", "OCI_USERNAME": robot.name, "OCI_PASSWORD": robot.secret,
        "OCI_RESULTS_DIR": str(results), "OCI_LOG": "error", "HOME": str(results), **environment,
    }  # fmt: skip
    ended = subprocess.run(
        [oci_tool("conformance")], env=said, cwd=results, capture_output=True, text=True, timeout=300, check=False
    )
    # The report that it prints: its files are not written when it only reads, because of a fault of its own.
    lines = [match for line in ended.stdout.splitlines() if (match := _LINE.fullmatch(line)) is not None]
    assert lines, ended.stderr
    cases = [one for one, after in zip(lines, [*lines[1:], None], strict=True) if not (after and _within(one, after))]
    assert "Error" not in {case["status"] for case in cases}, ended.stdout
    return Report(
        Counter(case["status"] for case in cases),
        [case["name"] for case in cases if case["status"] == "FAIL"],
        {case["name"] for case in cases if case["status"] in ("Skip", "Disabled")},
        ended.stdout,
    )


def _within(case: re.Match[str], after: re.Match[str]) -> bool:
    return len(after["indent"]) > len(case["indent"])


@pytest.mark.parametrize("version", ["1.1", "dev"])
def test_every_case_passes_on_the_push_endpoint(wire: Server, robot: Robot, tmp_path: Path, version: str) -> None:
    repositories = {f"OCI_REPO{n}": f"conformance/v{version.replace('.', '-')}-{n}" for n in (1, 2)}

    report = run(wire.push, robot, tmp_path, OCI_VERSION=version, **repositories)

    print(f"\nconformance {version}, push endpoint: {dict(report.count)}")
    assert report.failed == [], report.text
    assert {name.rpartition("/")[2] for name in report.skipped} == LEFT_OUT[version]
    assert report.count["Pass"] >= LEAST[version]


def test_every_case_of_the_suite_as_it_was_released_passes(wire: Server, robot: Robot, tmp_path: Path) -> None:
    """The suite that came with distribution 1.1; the one above was written anew since."""
    said = {
        "OCI_ROOT_URL": f"http://{wire.push}", "OCI_NAMESPACE": "conformance/released", "OCI_USERNAME": robot.name,
        "OCI_CROSSMOUNT_NAMESPACE": "conformance/released-too", "OCI_PASSWORD": robot.secret, "HOME": str(tmp_path),
        "OCI_TEST_PULL": "1", "OCI_TEST_PUSH": "1", "OCI_TEST_CONTENT_DISCOVERY": "1", "OCI_TEST_CONTENT_MANAGEMENT": "1",
        "OCI_AUTOMATIC_CROSSMOUNT": "1", "OCI_REPORT_DIR": "none",
    }  # fmt: skip
    ended = subprocess.run(
        [oci_tool("conformance-1.1"), "-ginkgo.no-color"], env=said, cwd=tmp_path, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip

    count = re.search(r"(\d+) Passed \| (\d+) Failed \| (\d+) Pending \| (\d+) Skipped", ended.stdout)
    assert count is not None, ended.stdout + ended.stderr
    print(f"\nconformance 1.1 as released, push endpoint: {count[0]}")
    assert count[2] == "0", ended.stdout
    assert int(count[1]) >= 70


def test_every_reading_case_passes_on_the_pull_endpoint(
    wire: Server, robot: Robot, approve: Callable[..., None], tmp_path: Path
) -> None:
    body, *contents = simple_image("served")
    image, manifests = Digest.of(body), []
    with robot.client(wire.push) as client:
        blobs = [push_blob(client, "conformance/served", content) for content in contents]
        note = make_manifest(b"{}", artifactType="application/vnd.example.note").replace(CONFIG, EMPTY)
        subject = {"mediaType": MANIFEST, "digest": str(image), "size": len(body)}
        note = json.dumps(json.loads(note) | {"subject": subject}).encode()
        push_blob(client, "conformance/served", b"{}")
        entry = {"mediaType": MANIFEST, "digest": str(image), "size": len(body)}
        entry["platform"] = {"os": "linux", "architecture": "amd64"}  # type: ignore[assignment]
        kind = "application/vnd.oci.image.index.v1+json"
        index = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": [entry]}).encode()
        for reference, media_type, content in (
            ("1.0", MANIFEST, body), ("index", kind, index), (str(Digest.of(note)), MANIFEST, note),
        ):  # fmt: skip
            answer = client.put(
                f"/v2/conformance/served/manifests/{reference}", content=content, headers={"Content-Type": media_type}
            )
            assert answer.status_code == 201, answer.text
            manifests.append(answer.headers["docker-content-digest"])
    approve(*(f"conformance/served@{digest}" for digest in (image, Digest.of(index))))

    report = run(
        wire.pull, robot, tmp_path, OCI_VERSION="1.1", OCI_API_PUSH="false", OCI_API_BLOBS_DELETE="false",
        OCI_API_MANIFESTS_DELETE="false", OCI_API_TAGS_DELETE="false", OCI_REPO1="conformance/served",
        OCI_RO_DATA_TAGS="1.0 index", OCI_RO_DATA_MANIFESTS=" ".join(manifests),
        OCI_RO_DATA_BLOBS=" ".join(map(str, blobs)), OCI_RO_DATA_REFERRERS=str(image),
    )  # fmt: skip

    print(f"\nconformance, pull endpoint: {dict(report.count)}")
    assert report.failed == [], report.text
    assert {name for name in report.skipped if not WRITING.search(name)} == set(), report.text
    assert report.count["Pass"] >= 12
