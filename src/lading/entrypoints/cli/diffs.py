"""`lading diff`: what changed from one image, SBOM or scan to another; without a server, or with what it knows."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
import typer
from rich.markup import escape

from lading.entrypoints.cli.client import ApiClient, ServerSaid
from lading.entrypoints.cli.options import OutputOption
from lading.entrypoints.cli.output import Output, out, print_json, print_rows
from lading.entrypoints.cli.scans import (
    AdvisoriesOption,
    CacheOption,
    NoCacheOption,
    PlainHttpOption,
    PlatformOption,
    Quietly,
    QuietOption,
    TokenFileOption,
    UserOption,
    access,
)
from lading.kernel.errors import ExitCode, Unavailable
from lading.kernel.severity import Severity
from lading.lifecycle.scan import Order, Scans
from lading.supply_chain.match.finding import Finding
from lading.supply_chain.report.as_json import from_json
from lading.supply_chain.report.difference import Difference, compare
from lading.supply_chain.report.result import ScanResult
from lading.supply_chain.scan.opening import kind_of
from lading.wiring.scanning import open_scans, usual_cache

_SERVER: Final = "server:"
TargetArgument = typer.Argument(
    help="What `lading scan` takes, a scan as JSON, or REPOSITORY:TAG or a digest that the server knows (server:NAME)."
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(diff)


def diff(
    before: Annotated[str, TargetArgument],
    after: Annotated[str, TargetArgument],
    platform: PlatformOption = "",
    advisories: AdvisoriesOption = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    user: UserOption = "",
    token_file: TokenFileOption = None,
    plain_http: PlainHttpOption = False,
    output: OutputOption = Output.TABLE,
    quiet: QuietOption = False,
) -> None:
    """Compare two images, SBOMs or scans: packages, findings, layers, configuration and size."""
    order = Order(access=access(platform, "", user, token_file, plain_http))
    with open_scans(None if no_cache else cache or usual_cache(), advisories or ()) as scans:
        first, second = (_read(target, scans, order, Quietly(quiet)) for target in (before, after))
    difference = compare(first, second)
    if output is Output.JSON:
        print_json(_document(difference))
    else:
        _table(difference)


def _read(target: str, scans: Scans, order: Order, telling: Quietly) -> ScanResult:
    """A name without a registry is the server's, if one answers and knows it; otherwise the engine's here."""
    if target.startswith(_SERVER):
        return _known(target.removeprefix(_SERVER))
    if target.startswith("sha256:") or (kind_of(target)[0] == "engine" and not target.startswith("engine:")):
        try:
            return _known(target)
        except Unavailable:
            telling.say(f"no server answers, so {target} is asked of the engine here")
        except ServerSaid as error:
            if error.exit_code not in (ExitCode.NOT_FOUND, ExitCode.UNAUTHENTICATED):
                raise
            telling.say(f"the server does not say: {error.what}")
    return scans.scan(target, order, telling)


def _known(image: str) -> ScanResult:
    document = ApiClient().get(f"/api/v1/images/{image}/scan", form="json")
    return from_json(msgspec.json.encode(document), image)


def _document(difference: Difference) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(difference)
    for finding in (*document["opened"], *document["closed"]):
        finding["severity"] = Severity(finding["severity"]).label
    return document | {"same": difference.same}


def _table(difference: Difference) -> None:
    for side, mark in ((difference.before, "-"), (difference.after, "+")):
        out.print(
            f"{mark} [bold]{escape(side.name)}[/]  {escape(side.digest)}  {side.packages} packages, "
            f"{side.findings} findings, {side.size / 1e6:.1f} MB"
        )
    if difference.same:
        out.print("Nothing changed.")
        return
    rows = [
        {
            "change": "added" if not one.before else "removed" if not one.after else "changed",
            "package": one.name, "ecosystem": one.ecosystem, "before": one.before or None, "after": one.after or None,
        }
        for one in difference.packages
    ]  # fmt: skip
    print_rows(rows, ("change", "package", "ecosystem", "before", "after"), Output.TABLE, "No package changed.")
    flaws = [_flaw("opened", one) for one in difference.opened] + [_flaw("closed", one) for one in difference.closed]
    columns = ("finding", "severity", "id", "package", "version", "fixed")
    print_rows(flaws, columns, Output.TABLE, "No finding was opened or closed.")
    settings = [msgspec.to_builtins(one) for one in difference.settings]
    print_rows(settings, ("key", "before", "after"), Output.TABLE, "The configuration is the same.")
    grown = difference.after.size - difference.before.size
    out.print(
        f"layers: {difference.layers_shared} shared, {len(difference.layers_added)} added, "
        f"{len(difference.layers_removed)} removed; size {grown / 1e6:+.1f} MB"
    )


def _flaw(what: str, one: Finding) -> dict[str, Any]:
    return {
        "finding": what, "severity": one.severity.label, "id": one.id, "package": one.package, "version": one.version,
        "fixed": one.fixed or "no fix",
    }  # fmt: skip
