"""`lading scan`: what is in an image, a directory or an SBOM, what is wrong with it, and whether it passes."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape

from lading.entrypoints.cli.images import read_secret
from lading.entrypoints.cli.output import Output as TableOrJson
from lading.entrypoints.cli.output import err, out, print_rows
from lading.kernel.clock import SystemClock
from lading.kernel.errors import ExitCode, InvalidInput, Unavailable
from lading.kernel.severity import Severity
from lading.lifecycle.scan import EVERYTHING, Order
from lading.policy.pack import load_pack
from lading.supply_chain.checks.gathering import checks_with
from lading.supply_chain.report.forms import Form, write
from lading.supply_chain.report.result import ScanResult
from lading.supply_chain.scan.gate import Gate
from lading.supply_chain.scan.ignoring import read_ignored
from lading.supply_chain.scan.opening import STANDARD_INPUT, Access, spooled
from lading.supply_chain.scan.vex import read_vex
from lading.wiring.scanning import open_scans, usual_cache

_OLD_DAYS: Final = 14
_ENGINE: Final = "unix:///var/run/docker.sock"


class ReportOutput(StrEnum):
    """The forms a scan can be written in."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    CYCLONEDX = "cyclonedx"
    SPDX = "spdx"
    JUNIT = "junit"


class Threshold(StrEnum):
    """Severities that a threshold can be."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class LookFor(StrEnum):
    """What a scan looks for."""

    FLAW = "flaw"
    SECRET = "secret"  # noqa: S105
    MISCONFIGURATION = "misconfiguration"
    LICENCE = "licence"
    END_OF_LIFE = "end-of-life"


class Quietly:
    """Tells a scan's progress on standard error, unless nobody wants to hear it."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet

    def step(self, name: str) -> None:
        if not self._quiet:
            err.print(f"[bold]{escape(name)}[/]", soft_wrap=True)

    def say(self, text: str, level: str = "info") -> None:
        if not self._quiet:
            err.print(f"  [dim]{escape(text)}[/]" if level == "detail" else f"  {escape(text)}", soft_wrap=True)


PlatformOption = Annotated[str, typer.Option("--platform", help="Of an index, the image for this: linux/arm64.")]
AdvisoriesOption = Annotated[
    list[Path] | None,
    typer.Option("--advisories", help="File or directory of feeds (OSV, kev.json, epss.csv), not the bundled ones."),
]
CacheOption = Annotated[
    Path | None, typer.Option("--cache", help="Directory to keep layers and advisories in; default ~/.cache/lading.")
]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Keep nothing and use nothing kept.")]
UserOption = Annotated[str, typer.Option("--user", help="User at the registry.")]
TokenFileOption = Annotated[
    Path | None,
    typer.Option("--token-file", help="File with that token; without it the docker client's config.json counts."),
]
PlainHttpOption = Annotated[bool, typer.Option("--plain-http", help="The registry has no TLS.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Do not tell the progress.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(scan)


def scan(
    target: Annotated[
        str,
        typer.Argument(
            help="Image in a registry (HOST/NAME:TAG) or of the Docker Engine here, archive of `docker save`, "
            "OCI layout, directory, SBOM (CycloneDX 1.4-1.7, SPDX 2.3); - for standard input."
        ),
    ],
    fail_on: Annotated[
        Threshold | None,
        typer.Option("--fail-on", help="Refuse findings and weaknesses of this severity and above."),
    ] = None,
    only_fixed: Annotated[
        bool, typer.Option("--only-fixed", help="Of findings, only what a newer version mends.")
    ] = False,
    only: Annotated[
        list[LookFor] | None,
        typer.Option("--only", help="Look for this kind only, not for everything; may be given several times."),
    ] = None,
    fail_on_gaps: Annotated[
        bool,
        typer.Option("--fail-on-gaps/--no-fail-on-gaps", help="Refuse what could not be read or matched completely."),
    ] = True,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="Rules in CEL that judge it (stages push and deploy).")
    ] = None,
    ignore_file: Annotated[
        Path | None, typer.Option("--ignore-file", help="TOML of accepted ids and rules, each with reason and until.")
    ] = None,
    vex: Annotated[
        list[Path] | None,
        typer.Option("--vex", help="OpenVEX or CycloneDX document about what is scanned; may be given several times."),
    ] = None,
    licences: Annotated[
        Path | None, typer.Option("--licences", help="TOML of the licences to allow, look at and deny.")
    ] = None,
    support: Annotated[
        Path | None, typer.Option("--support", help="YAML of days until which releases get fixes; corrects ours.")
    ] = None,
    team: Annotated[str, typer.Option("--team", "-t", help="Team that rules are told.")] = "",
    environment: Annotated[str, typer.Option("--environment", help="Environment that rules are told.")] = "production",
    platform: PlatformOption = "",
    image: Annotated[str, typer.Option("--image", help="Which image of an archive or layout with several.")] = "",
    name: Annotated[str, typer.Option("--name", help="What the result calls the target.")] = "",
    advisories: AdvisoriesOption = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    user: UserOption = "",
    token_file: TokenFileOption = None,
    plain_http: PlainHttpOption = False,
    output: Annotated[ReportOutput, typer.Option("--output", "-o", help="Form of the result.")] = ReportOutput.TABLE,
    output_file: Annotated[Path | None, typer.Option("--output-file", help="File to write the result to.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Say what is in an image, a directory or an SBOM and what is wrong with it. Needs no server and no network.

    Exit code 3 means that it does not pass: something at or above the threshold, a rule that refuses, or a gap.
    """
    order = Order(
        access=access(platform, image, user, token_file, plain_http),
        ignored=read_ignored(ignore_file, SystemClock().now().date()) if ignore_file else (),
        vex=read_vex(vex or (), SystemClock().now()),
        rules=load_pack(policy) if policy else None,
        gate=Gate(
            fail_on=Severity.parse(fail_on) if fail_on else None, only_fixed=only_fixed, fail_on_gaps=fail_on_gaps
        ),
        kinds=tuple(one.value for one in only) if only else EVERYTHING,
        team=team,
        environment=environment,
    )
    if only and policy:
        raise InvalidInput("Rules judge all that can be found, not some kinds of it.", remedy="Leave --only out.")
    if only_fixed and fail_on is None:
        raise InvalidInput("--only-fixed says nothing without a threshold.", remedy="Give --fail-on too.")
    if output_file and output is ReportOutput.TABLE:
        raise InvalidInput(
            "A table is for people, not for a file.", remedy="Give --output json, sarif, junit or another."
        )
    with ExitStack() as stack:
        if target == STANDARD_INPUT:
            target, name = stack.enter_context(spooled(sys.stdin.buffer)), name or "standard input"
        checks = checks_with(licences=licences, support=support)
        kept = None if no_cache else cache or usual_cache()
        scans = stack.enter_context(open_scans(kept, advisories or (), checks))
        result = scans.scan(target, order, Quietly(quiet), name)
    publish(result, output, output_file)
    conclude(result)


def access(platform: str, image: str, user: str, token_file: Path | None, plain_http: bool) -> Access:
    """How targets are reached, from options and DOCKER_HOST."""
    return Access(
        platform=platform,
        image=image,
        user=user,
        secret=read_secret(token_file) if token_file else "",
        plain_http=plain_http,
        engine=os.environ.get("DOCKER_HOST") or _ENGINE,
    )


def publish(result: ScanResult, output: ReportOutput, file: Path | None) -> None:
    """Write a result in the form that was asked for, to a file or to standard output."""
    if output is ReportOutput.TABLE:
        _table(result)
        return
    forms: dict[ReportOutput, Form] = {
        ReportOutput.JSON: "json", ReportOutput.SARIF: "sarif", ReportOutput.CYCLONEDX: "cyclonedx",
        ReportOutput.SPDX: "spdx", ReportOutput.JUNIT: "junit",
    }  # fmt: skip
    emit(write(result, forms[output]), file)


def emit(content: bytes, file: Path | None) -> None:
    """Bytes to a file or to standard output; raises Unavailable."""
    if file is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        file.write_bytes(content)
    except OSError as error:
        raise Unavailable(f"{file} cannot be written: {error.strerror}.", remedy="Name another file.") from error


def conclude(result: ScanResult) -> None:
    """Say on standard error how it ends; exit code 3 when it does not pass."""
    for gap in result.gaps:
        err.print(f"[red]gap:[/] {escape(gap)}", soft_wrap=True)
    for sentence in result.lapsed:
        err.print(f"[yellow]{escape(sentence)}[/]", soft_wrap=True)
    old = sorted(f"{feed.source} {feed.age_days:.0f}" for feed in result.feeds if feed.age_days > _OLD_DAYS)
    if old:
        shown = ", ".join(old)
        err.print(f"[yellow]younger flaws are not known; age of advisories in days: {escape(shown)}[/]", soft_wrap=True)
    if result.verdict.passed:
        return
    for reason in result.verdict.reasons:
        err.print(f"[bold red]refused:[/] {escape(reason)}", soft_wrap=True)
    if result.verdict.gaps_refuse and result.gaps:
        err.print(
            "[bold]next:[/]  close the gaps, or let them pass with --no-fail-on-gaps; unseen may be anything.",
            soft_wrap=True,
        )
    raise typer.Exit(int(ExitCode.REFUSED))


def _table(result: ScanResult) -> None:
    inventory = result.inventory
    counted = ", ".join(f"{count} {ecosystem}" for ecosystem, count in sorted(inventory.ecosystems.items()))
    system = f"{inventory.distribution} {inventory.release}".strip()
    out.print(f"[bold]{escape(result.name)}[/]  {escape(result.kind)}  {escape(result.digest)}")
    out.print(
        f"{len(inventory.packages)} packages ({escape(counted) or 'none'}){', ' + escape(system) if system else ''}"
    )
    for one in (*result.violations, *result.warnings):
        style = "red" if one.effect == "deny" else "yellow"
        out.print(f"[{style}]{escape(one.rule)}[/]: {escape(one.message)}", soft_wrap=True)
    rows = [
        {
            "severity": one.severity.label, "id": one.id, "package": one.package, "version": one.version,
            "fixed": one.fixed or "no fix", "exploited": "yes" if one.kev else "", "path": one.path,
        }
        for one in result.findings
    ]  # fmt: skip
    columns = ("severity", "id", "package", "version", "fixed", "exploited", "path")
    print_rows(rows, columns, TableOrJson.TABLE, "Nothing is known to be wrong with it.")
    counts = ", ".join(f"{count} {severity}" for severity, count in result.by_severity.items())
    weak_table(result)
    if rows or result.accepted:
        fixable = sum(bool(one.fixed) for one in result.findings)
        out.print(f"{len(rows)} findings ({counts or 'none'}), {fixable} with a fix, {len(result.accepted)} accepted")


def weak_table(result: ScanResult) -> None:
    """The weaknesses of a result, worst first, and how many were accepted."""
    rows = [
        {"severity": one.severity.label, "kind": one.kind, "rule": one.rule, "where": one.place, "what": one.message}
        for one in result.weaknesses
    ]
    print_rows(rows, ("severity", "kind", "rule", "where", "what"), TableOrJson.TABLE, "No check found anything.")
    if accepted := len(result.accepted_weaknesses):
        out.print(f"{len(rows)} weaknesses, {accepted} accepted")
