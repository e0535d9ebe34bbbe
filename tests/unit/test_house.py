"""The house is in order: its own rules, its documents, its commands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("script", [["check_house.py"], ["write_docs.py", "--check"]])
def test_the_scripts_of_make_check_have_nothing_to_say(script: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "scripts" / script[0], *script[1:]],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")


def test_every_command_that_the_readme_names_exists() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^## (lading .+)$", reference, re.MULTILINE))
    named = re.findall(r"^\s+(?:\$ )?(lading [a-z]+(?: [a-z]+)?)", readme, re.MULTILINE)

    for command in named:
        words = command.split()
        assert " ".join(words[:2]) in known or " ".join(words[:3]) in known, command


def test_links_between_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
