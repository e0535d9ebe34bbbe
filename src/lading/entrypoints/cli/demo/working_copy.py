"""The shop as a developer has it: a copy in a repository of its own, changed step by step."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

_AUTHOR: Final = ("-c", "user.name=demo", "-c", "user.email=demo@localhost", "-c", "commit.gpgsign=false")


class WorkingCopy:
    """A directory with the application's source."""

    def __init__(self, example: Path, directory: Path) -> None:
        self.path = directory
        self._example = example

    def begin(self) -> None:
        """A fresh copy, committed."""
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(self._example, self.path)
        self._git("init", "--quiet")
        self.commit("The shop as it was")

    def change(self, file: str, before: str, after: str) -> None:
        """Replace a text in a file; the text must be there."""
        path = self.path / file
        text = path.read_text(encoding="utf-8")
        if before not in text:
            raise ValueError(f"{file} does not say {before!r}")
        path.write_text(text.replace(before, after), encoding="utf-8")

    def commit(self, message: str) -> None:
        """Commit everything."""
        self._git("add", "--all")
        self._git(*_AUTHOR, "commit", "--quiet", "--message", message)

    def _git(self, *arguments: str) -> None:
        if shutil.which("git") is not None:
            subprocess.run(["git", *arguments], cwd=self.path, check=False, capture_output=True)
