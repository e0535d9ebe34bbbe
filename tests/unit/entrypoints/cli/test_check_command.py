"""`lading check` and the files of `lading scan DIR`, from the words on the command line to the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from lading.entrypoints.cli.main import main

COMPOSE = "services:\n  a:\n    image: x:1\n    privileged: true\n"


@pytest.fixture
def lading(capfdbinary: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capfdbinary.readouterr()
        return int(ended.value.code or 0), out.decode(), err.decode()

    return run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "deploy" / "chart" / "templates").mkdir(parents=True)
    (source / "compose.yaml").write_text(COMPOSE)
    (source / "Dockerfile").write_text("FROM debian\nUSER root\n")
    (source / "deploy" / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\nspec: {hostPID: true, containers: []}\n")
    (source / "deploy" / "other.yaml").write_text("just: data\n")
    (source / "node_modules").mkdir()
    (source / "node_modules" / "Dockerfile").write_text("FROM debian\nUSER root\n")
    return source


def test_a_directory_is_looked_through(lading: Any, source: Path) -> None:
    code, out, err = lading("check", "source")
    assert code == 3
    assert all(rule in out for rule in ("compose-privileged", "dockerfile-user-root", "kubernetes-host-pid"))
    assert "node_modules" not in out + err
    assert "refused" in err


def test_the_threshold_and_the_ignore_file_decide(lading: Any, source: Path) -> None:
    Path("ok.toml").write_text('[[ignore]]\nid = "compose-privileged"\nreason = "it makes disks"\nuntil = 2027-06-30\n')
    words = ("check", "source/compose.yaml", "--fail-on", "critical")
    assert lading(*words)[0] == 0
    assert lading("check", "source/compose.yaml")[0] == 3
    code, out, _ = lading("check", "source/compose.yaml", "--ignore-file", "ok.toml")
    assert (code, "it makes disks" in out) == (0, True)


def test_forms_for_machines(lading: Any, source: Path) -> None:
    found = json.loads(lading("check", "source", "-o", "json")[1])
    assert {"compose-privileged"} <= {one["rule"] for one in found["weaknesses"]}
    sarif = json.loads(lading("check", "source", "-o", "sarif")[1])
    result = next(one for one in sarif["runs"][0]["results"] if one["ruleId"] == "compose-privileged")
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 4
    junit = ElementTree.fromstring(lading("check", "source", "-o", "junit")[1])
    assert junit.tag == "testsuites"


def test_a_chart_that_was_not_rendered_is_a_gap_with_the_way_out(lading: Any, source: Path) -> None:
    (source / "deploy" / "chart" / "Chart.yaml").write_text("name: c\n")
    (source / "deploy" / "chart" / "templates" / "x.yaml").write_text("{{ if }}\n")
    code, _, err = lading("check", "source", "--fail-on", "critical")
    assert (code, "helm template source/deploy/chart | lading check -" in err) == (3, True)
    assert lading("check", "source", "--fail-on", "critical", "--no-fail-on-gaps")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "nowhere"), "There is no file or directory nowhere"),
        (("check", "other.yaml"), "is no Dockerfile, Compose file or Kubernetes manifest"),
        (("check", "compose.yaml", "--output-file", "x"), "A table is for people"),
    ],
)
def test_wrong_words_are_errors_that_say_what_to_do(
    lading: Any, source: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(source)
    (source / "other.yaml").write_text("just: data\n")
    code, _, err = lading(*words)
    assert code not in (0, 3)
    assert said in err and "next:" in err


def test_a_scan_of_a_directory_includes_them(lading: Any, source: Path) -> None:
    code, out, _ = lading("scan", "source", "--quiet", "--fail-on", "high")
    assert (code, "compose-privileged" in out, "compose.yaml:4" in out) == (3, True, True)
    assert "compose-privileged" not in lading("scan", "source", "--quiet", "--only", "flaw")[1]
