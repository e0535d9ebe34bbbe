"""Run the benchmarks: `python -m bench [NAME …]`. Prints a table and writes bench/results/latest.json.

Each module has `run() -> list[dict]` with rows of name, value, unit, and, where there is something to compare with in
the same run, peer and ratio. Ratios travel between machines; values do not.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

NAMES = ("ledger", "inventory", "match", "policy", "telemetry", "registry", "garbage", "metadata", "match_scale")
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run what was named, or everything."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    made = []
    for name in sys.argv[1:] or NAMES:
        console.print(f"[dim]{name} …[/]")
        rows = importlib.import_module(f"bench.{name}").run()
        table = Table(title=name, title_justify="left")
        for column in ("what", "value", "unit", "compared with", "ratio", "note"):
            table.add_column(column, justify="right" if column in ("value", "ratio") else "left", overflow="fold")
        for row in rows:
            table.add_row(
                str(row["name"]), _number(row["value"]), str(row.get("unit", "")), str(row.get("peer") or ""),
                _number(row.get("ratio")), str(row.get("note") or ""),
            )  # fmt: skip
            made.append({"bench": name, **row})
        console.print(table)
    RESULTS.mkdir(exist_ok=True)
    document = {"at": datetime.now(UTC).isoformat(), "python": platform.python_version(), "rows": made}
    (RESULTS / "latest.json").write_text(json.dumps(document, indent=2, default=str) + "\n", encoding="utf-8")


def _number(value: object) -> str:
    if isinstance(value, int | float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return "" if value is None else str(value)


if __name__ == "__main__":
    main()
