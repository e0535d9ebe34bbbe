"""Write the parts of docs/ that the code knows best; with --check, fail when a file says something else.

docs/cli.md           commands and options, from the command line's own definitions, and the exit codes
docs/settings.md      every setting, from its table
docs/facts.md         every kind of fact with its fields
docs/capabilities.md  what a container strategy must do and how far Lading is
docs/rules.md         the default rules
docs/checks.md        the rules about secrets, images, Dockerfiles, Compose files and manifests
docs/api.md           the routes of the management API
"""

from __future__ import annotations

import difflib
import inspect
import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import typer.main

from lading import settings
from lading.entrypoints.api.app import api_app
from lading.entrypoints.cli.main import app
from lading.facts.kinds import CATALOGUE
from lading.kernel.errors import ExitCode
from lading.policy.pack import load_pack
from lading.strategy.catalogue.catalogue import capability_table
from lading.supply_chain.checks.catalogue import CATALOGUE as RULES_OF_CHECKS
from lading.wiring import Wiring

DOCS = Path(__file__).resolve().parent.parent / "docs"
MEANINGS = {
    ExitCode.OK: "It worked.",
    ExitCode.FAILED: "It failed; the message says why. Also: a test of a rule, or a check of the doctor, failed.",
    ExitCode.USAGE: "The command or a file given to it is malformed.",
    ExitCode.REFUSED: "A policy or a threshold said no; the explanation names what would pass.",
    ExitCode.NOT_FOUND: "What was asked for does not exist.",
    ExitCode.UNAVAILABLE: "The server, engine, database, registry or disk cannot be used now.",
    ExitCode.UNAUTHENTICATED: "No valid token: log in.",
    ExitCode.FORBIDDEN: "The token's roles do not allow it.",
    ExitCode.CONFLICT: "It contradicts the present state: a name or port is taken, a move is illegal.",
    ExitCode.INTEGRITY: "A digest, signature, or link of the ledger does not hold.",
    ExitCode.INTERRUPTED: "Somebody pressed Ctrl-C.",
}


def cli() -> str:
    """Every command."""
    lines = [
        "# Commands",
        "",
        "All but `up`, `down`, `doctor`, `demo`, `scan`, `check` and `diff` talk to the API that `LADING_API` names",
        "(by default the one of the settings) with the token of `LADING_TOKEN`, `LADING_TOKEN_FILE` or",
        "`lading login`. Lists take `--output json`.",
        "Colour is left out when `NO_COLOR` is set or the output is no terminal.",
        "`lading --install-completion` installs completion for the shell.",
        "",
        "## Exit codes",
        "",
        "| code | name | meaning |",
        "|---|---|---|",
        *(f"| {int(code)} | {code.name.lower()} | {MEANINGS[code]} |" for code in ExitCode),
    ]
    for path, command in _commands(typer.main.get_command(app), ("lading",)):
        lines += ["", f"## {' '.join(path)}", "", inspect.cleandoc(command.help or "").split("\f")[0]]
        rows = [_parameter(parameter) for parameter in command.params]
        rows = [row for row in rows if row]
        if rows:
            lines += ["", "| option | meaning |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _commands(command: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", None)
    if not inner:
        return [(path, command)]
    return [item for name, child in sorted(inner.items()) for item in _commands(child, (*path, name))]


def _parameter(parameter: Any) -> str:
    if parameter.name in ("help", "install_completion", "show_completion"):
        return ""
    names = ", ".join(f"`{name}`" for name in parameter.opts) if parameter.param_type_name == "option" else ""
    shown = names or f"`{(parameter.name or '').upper()}`"
    return f"| {shown} | {(getattr(parameter, 'help', '') or '').replace('|', '/')} |"


def settings_table() -> str:
    """Every setting."""
    lines = [
        "# Settings",
        "",
        "A flag of `lading up` wins over the environment, the environment over the file, the file over the default.",
        "The file is TOML with the names of the first column: `LADING_CONFIG`, or `lading.toml` in the data directory.",
        "",
        "| name | environment | default | meaning |",
        "|---|---|---|---|",
    ]
    for row in settings.documented():
        lines.append(
            f"| `{row.name}` | `{row.variable}` | {f'`{row.default}`' if row.default else ''} | {row.meaning} |"
        )
    return "\n".join(lines) + "\n"


def facts() -> str:
    """Every kind of fact."""
    lines = [
        "# Facts",
        "",
        "Every kind of fact that the ledger may hold. Times, actors and hashes are kept beside them.",
    ]
    for kind in CATALOGUE:
        lines += ["", f"## `{kind.kind()}`", "", " ".join(inspect.cleandoc(kind.__doc__ or "").split())]
        fields = ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(kind))
        lines += ["", f"Fields: {fields or 'none'}."]
    return "\n".join(lines) + "\n"


def rules() -> str:
    """The default rules."""
    lines = [
        "# Default rules",
        "",
        "What Lading decides by unless `LADING_POLICY` names other rules.",
        "How rules are written: [policy.md](policy.md).",
        "",
        "| rule | stages | severity | effect | owner | what it demands |",
        "|---|---|---|---|---|---|",
    ]
    for item in load_pack().rules:
        rule = item.rule
        stages = ", ".join(rule.stages)
        severity = "of the finding" if "{" in rule.severity else rule.severity
        lines.append(f"| `{rule.id}` | {stages} | {severity} | {rule.effect} | {rule.owner} | {rule.title} |")
    return "\n".join(lines) + "\n"


def checks() -> str:
    """The rules of the checks."""
    lines = [
        "# What is checked",
        "",
        "The rules about secrets, images, Dockerfiles, Compose files and Kubernetes manifests. How they are used,",
        "and how a weakness is accepted: [scanning.md](scanning.md#weaknesses).",
    ]
    for prefix, rules_of in itertools.groupby(RULES_OF_CHECKS.values(), lambda rule: rule.id.partition("-")[0]):
        lines += [
            "",
            f"## {prefix.capitalize()}",
            "",
            "| rule | severity | what is wrong | what to do | also known as |",
        ]
        lines.append("|---|---|---|---|---|")
        for rule in rules_of:
            cells = (f"`{rule.id}`", rule.severity.label, rule.title, rule.remedy, ", ".join(rule.references))
            lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def api() -> str:
    """The routes."""
    with tempfile.TemporaryDirectory() as directory:
        document = api_app(Wiring(settings.load(environ={"LADING_DATA": directory}))).openapi()
    lines = [
        "# API",
        "",
        "The OpenAPI document is at `/api/openapi.json`, a browsable one at `/api/docs`. Requests carry",
        '`Authorization: Bearer lad_…`; errors are `{"error": {code, what, remedy, details, exit_code}}`.',
        "",
        "| method | path | what |",
        "|---|---|---|",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            said = (operation.get("description") or operation.get("summary") or "").split("\n\n")[0]
            lines.append(f"| {method.upper()} | `{path}` | {' '.join(said.split())} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write or check every file."""
    made = {
        "cli.md": cli(),
        "settings.md": settings_table(),
        "facts.md": facts(),
        "capabilities.md": capability_table(),
        "rules.md": rules(),
        "checks.md": checks(),
        "api.md": api(),
    }
    stale = 0
    for name, text in made.items():
        path = DOCS / name
        kept = path.read_text(encoding="utf-8") if path.exists() else ""
        if kept == text:
            continue
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
            continue
        stale += 1
        sys.stderr.write(f"docs/{name} is out of date; run `make docs`:\n")
        sys.stderr.writelines(list(difflib.unified_diff(kept.splitlines(True), text.splitlines(True), n=0))[:12])
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
