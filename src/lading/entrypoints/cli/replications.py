"""`lading registry replicate`: copies of the registry in other regions and registries."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import OutputOption
from lading.entrypoints.cli.output import Output, err, out, print_json, print_rows
from lading.kernel.errors import InvalidInput, NotFound, Unavailable
from lading.supply_chain.registry.replication.targets import Sent, TargetKind

_MOST_SECRET: Final = 16 << 10
_SECRET_VARIABLE: Final = "LADING_REPLICATION_SECRET"  # noqa: S105 - the name of a variable
PatternOption = Annotated[
    list[str] | None, typer.Option("--repository", "-r", help="Only these, such as shop/*; may be given repeatedly.")
]


def add_to(group: typer.Typer) -> None:
    """Add the commands of this module."""
    replicate = typer.Typer(help="Copies of the registry in other regions and registries.", no_args_is_help=True)
    for command, name in (
        (add, "add"), (listing, "ls"), (remove, "rm"), (status, "status"), (run, "run"),
        (key, "key"), (accept, "accept"), (regions, "regions"), (dismiss, "dismiss"),
    ):  # fmt: skip
        replicate.command(name)(command)
    group.add_typer(replicate, name="replicate")


def add(
    url: Annotated[str, typer.Argument(help="Address of the API of a region, or of a registry: https://HOST[:PORT].")],
    name: Annotated[str, typer.Option(help="Name of the target; a region says its own.")] = "",
    oci: Annotated[bool, typer.Option("--oci", help="Any OCI registry; it gets approved images only.")] = False,
    push: Annotated[str, typer.Option(help="Push endpoint of the region; asked for when left out.")] = "",
    user: Annotated[str, typer.Option(help="User of the registry.")] = "",
    secret_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the token of the region or the user's password, - for standard input; "
            f"without it, {_SECRET_VARIABLE} is read. It is kept sealed."
        ),
    ] = None,
    prefix: Annotated[str, typer.Option(help="What repositories are put below, in a registry.")] = "",
    repository: PatternOption = None,
    states: Annotated[Sent, typer.Option(help="All images with their states, or approved ones only.")] = Sent.ANY,
    rate: Annotated[int, typer.Option(help="Most KiB a second; 0: no limit.", min=0)] = 0,
    output: OutputOption = Output.TABLE,
) -> None:
    """Copy the registry to a target from now on, beginning with everything that there is."""
    if oci and not name:
        raise InvalidInput("A registry needs a name.", remedy="Give one with --name.")
    body = {
        "name": name,
        "kind": TargetKind.OCI if oci else TargetKind.LADING,
        "url": url,
        "push": push,
        "user": user,
        "secret": _secret(secret_file),
        "prefix": prefix,
        "patterns": repository or [],
        "states": states,
        "rate": rate * 1024,
    }
    answer = ApiClient().post("/api/v1/replication/targets", body)
    if output is Output.JSON:
        print_json(answer)
    else:
        out.print(f"the registry is copied to {escape(answer['name'])} ({escape(answer['url'])}) from now on")


def listing(output: OutputOption = Output.TABLE) -> None:
    """List the targets."""
    rows = ApiClient().get("/api/v1/replication/targets")
    columns = ("name", "kind", "url", "patterns", "states", "rate", "standing", "added", "added_by")
    print_rows(rows, columns, output, "The registry is copied nowhere.")


def remove(name: Annotated[str, typer.Argument(help="Name of the target.")]) -> None:
    """Copy nothing to a target any more; what is there stays."""
    ApiClient().delete(f"/api/v1/replication/targets/{name}")
    out.print(f"nothing is copied to {escape(name)} any more")


def status(
    conflicts: Annotated[int, typer.Option(help="Most conflicts to show.", min=0, max=1_000)] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show how far behind each target is, what it refuses, and which tags were moved in two regions at once."""
    found = ApiClient().get("/api/v1/replication/status", conflicts=conflicts)
    if output is Output.JSON:
        print_json(found)
        return
    columns = ("target", "standing", "lag", "rpo", "waiting", "urgent", "refused", "items", "bytes", "error")
    print_rows(found["targets"], columns, output, "The registry is copied nowhere.")
    for target in found["targets"]:
        for problem in target["problems"]:
            err.print(f"[yellow]{escape(target['target'])}[/] {escape(problem)}")
    if found["conflicts"]:
        out.print(f"\nTags that were moved in two regions at once, as {escape(found['region'])} resolved it:")
        shown = ("at", "repository", "tag", "kept", "kept_region", "lost", "lost_region")
        print_rows(found["conflicts"], shown, output, "")


def run(
    name: Annotated[str, typer.Argument(help="Only this target.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Offer everything that there is once more.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait until nothing waits any more.", min=0)] = 0.0,
) -> None:
    """Try everything that waits at once. Exit code 5: something still waits after `--wait` seconds."""
    client = ApiClient()
    names = [name] if name else [row["name"] for row in client.get("/api/v1/replication/targets")]
    for one in names:
        client.post(f"/api/v1/replication/targets/{one}/run", {"again": again})
    deadline = time.monotonic() + wait
    while behind := _behind(client, names):
        if time.monotonic() >= deadline:
            said = ", ".join(f"{row['target']}: {row['waiting']} items" for row in behind)
            if wait:
                raise Unavailable(f"Still behind: {said}.", remedy="See `lading registry replicate status`.")
            out.print(escape(f"behind: {said}"))
            return
        time.sleep(0.5)
    out.print("every target has everything")


def key(output: OutputOption = Output.TABLE) -> None:
    """Print the public key of this region, for `accept` in another."""
    found = ApiClient().get("/api/v1/replication/region")
    if output is Output.JSON:
        print_json(found)
        return
    err.print(f"region {escape(found['region'])}, key {escape(found['key_id'])}")
    sys.stdout.write(found["key"])


def accept(
    region: Annotated[str, typer.Argument(help="Name of the other region.")],
    key_file: Annotated[Path, typer.Option("--key", help="Its public key, as `replicate key` prints it there.")],
    repository: PatternOption = None,
    approvals: Annotated[
        bool, typer.Option("--approvals/--own-approvals", help="Take its approvals over, or judge here.")
    ] = True,
    deletions: Annotated[
        bool, typer.Option("--deletions/--keep-deleted", help="Delete what is deleted there, or keep it.")
    ] = True,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take over what another region says, and print the token that it needs for that, once."""
    body = {
        "name": region,
        "key": _read(key_file),
        "patterns": repository or [],
        "approvals": approvals,
        "deletions": deletions,
    }
    answer = ApiClient().post("/api/v1/replication/regions", body)
    if output is Output.JSON:
        print_json(answer)
        return
    err.print(f"{escape(region)} may say what happens there. Its token, shown once:")
    out.print(answer["token"])


def regions(output: OutputOption = Output.TABLE) -> None:
    """List the regions whose changes are taken over here."""
    rows = ApiClient().get("/api/v1/replication/regions")
    columns = ("name", "key_id", "patterns", "approvals", "deletions", "heard", "applied", "refused", "accepted_by")
    print_rows(rows, columns, output, "Nothing is taken over from any region.")


def dismiss(region: Annotated[str, typer.Argument(help="Name of the other region.")]) -> None:
    """Take nothing over from a region any more; what was taken over stays."""
    ApiClient().delete(f"/api/v1/replication/regions/{region}")
    out.print(f"nothing is taken over from {escape(region)} any more")


def _behind(client: ApiClient, names: list[str]) -> list[dict[str, Any]]:
    rows = client.get("/api/v1/replication/status", conflicts=0)["targets"]
    known = {row["target"] for row in rows}
    if missing := [name for name in names if name not in known]:
        raise NotFound(f"There is no target {missing[0]}.", remedy="See `lading registry replicate ls`.")
    return [row for row in rows if row["target"] in names and (row["lag"] or row["standing"] != "following")]


def _secret(file: Path | None) -> str:
    """A secret from where no process list shows it."""
    if file is None:
        return os.environ.get(_SECRET_VARIABLE, "")
    return sys.stdin.read(_MOST_SECRET).strip() if str(file) == "-" else _read(file).strip()


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as handle:
            return handle.read(_MOST_SECRET)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}.", remedy="Give a file with text.") from error
