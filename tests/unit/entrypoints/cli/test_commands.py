"""The table of commands names what the topics register, and looking at it imports none of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lading.entrypoints.cli.commands import TOPICS, OnDemand, commands_of
from lading.entrypoints.cli.main import main


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_registers_the_commands_that_the_table_names(topic: str) -> None:
    assert set(commands_of(topic)) == set(TOPICS[topic])


def test_commands_are_looked_up_and_neither_added_nor_removed() -> None:
    commands = OnDemand()
    assert "scan" in commands and "scn" not in commands
    assert len(commands) == len(list(commands))
    with pytest.raises(TypeError, match="TOPICS"):
        commands["more"] = None
    with pytest.raises(TypeError, match="TOPICS"):
        del commands["scan"]


def test_a_command_imports_its_own_topic_only() -> None:
    code = (
        "import sys; from lading.entrypoints.cli.commands import OnDemand; OnDemand()['logs'];"
        "print(*[one for one in sys.modules if one.startswith('lading.wiring') or one == 'sqlalchemy'])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("lading ")
