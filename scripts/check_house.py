"""Hold the rules of the house that no linter knows: third-party libraries stay in adapters, modules stay small."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "lading"
MOST_LINES = 600
BANNED_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}

# Library -> path fragments of the modules that may import it. An adapter is where a library is known.
ADAPTERS: dict[str, tuple[str, ...]] = {
    "sqlalchemy": ("state/", "facts/", "jobs/", "sql.py", "sql/"),
    "alembic": ("state/",),
    "docker": ("docker", "buildkit"),
    "duckdb": ("observability/store/",),
    "pyarrow": ("observability/store/",),
    "obstore": ("blobs", "object_store"),
    "cel_expr_python": ("policy/",),
    "cel": ("policy/",),
    "hyperscan": ("secrets/prefilter.py",),
    "argon2": ("identity/",),
    "authlib": ("identity/oidc/",),
    "joserfc": ("identity/oidc/", "registry/token"),
    "fastapi": ("entrypoints/",),
    "starlette": ("entrypoints/",),
    "granian": ("entrypoints/",),
    "typer": ("entrypoints/",),
}


def imported(path: Path) -> set[str]:
    """The top-level names of the packages that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def complaints() -> list[str]:
    """Everything that breaks a rule, one line each."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        shown = path.relative_to(SOURCE).as_posix()
        lines = path.read_text(encoding="utf-8").count("\n")
        # A migration is written once, by the schema's size, and never read as a module.
        if lines > MOST_LINES and "migrations" not in shown:
            found.append(f"{shown}: {lines} lines; split it by concept (at most {MOST_LINES}).")
        if path.stem in BANNED_NAMES:
            found.append(f"{shown}: name it for what it holds.")
        if "migrations" not in shown and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))):
            found.append(f"{shown}: a module says why it is there.")
        found += [
            f"{shown}: imports {library}, which only adapters may ({', '.join(places)})."
            for library, places in ADAPTERS.items()
            if library in imported(path) and not any(place in shown for place in places)
        ]
    return found


if __name__ == "__main__":
    problems = complaints()
    for problem in problems:
        sys.stderr.write(problem + "\n")
    sys.exit(1 if problems else 0)
