"""`lading registry mirror`: other registries that are mirrored here."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import OutputOption
from lading.entrypoints.cli.output import Output, err, out, print_json, print_rows
from lading.kernel.errors import InvalidInput
from lading.supply_chain.registry.access import Visibility

_MOST_SECRET: Final = 16 << 10
_SECRET_VARIABLE: Final = "LADING_MIRROR_SECRET"  # noqa: S105 - the name of a variable
_AGAIN = "; may be given repeatedly"
NameArgument = Annotated[str, typer.Argument(help="Name of the upstream.")]
RewriteOption = Annotated[
    list[str] | None, typer.Option("--rewrite", help=f"REMOTE=LOCAL below the prefix, such as library/*=*{_AGAIN}.")
]
UserOption = Annotated[str | None, typer.Option(help="User at the upstream.")]
SecretOption = Annotated[
    Path | None,
    typer.Option(
        help=f"File with the user's password or token, - for standard input; without it, {_SECRET_VARIABLE} is read. "
        "It is kept sealed."
    ),
]
AllowOption = Annotated[
    list[str] | None, typer.Option(help=f"Only these may come: REPOSITORY[:TAG] there, with *{_AGAIN}.")
]
DenyOption = Annotated[list[str] | None, typer.Option(help=f"These may not come: REPOSITORY[:TAG] there{_AGAIN}.")]
PlatformOption = Annotated[
    list[str] | None, typer.Option("--platform", help=f"Only these of an index, such as linux/amd64{_AGAIN}.")
]
TeamOption = Annotated[str | None, typer.Option(help="Team that owns what comes.")]
VisibilityOption = Annotated[Visibility | None, typer.Option(help="Who may pull from repositories that come.")]
FreshnessOption = Annotated[int | None, typer.Option(help="Seconds until a tag is looked at again.", min=0)]
OnPullOption = Annotated[
    bool | None, typer.Option("--on-pull/--planned-only", help="Bring what somebody pulls, or only what is planned.")
]
MirrorOption = Annotated[
    list[str] | None, typer.Option("--image", help=f"Plan: bring these without being asked, REPOSITORY[:TAG]{_AGAIN}.")
]
EveryOption = Annotated[int | None, typer.Option(help="Seconds between two looks of the plan; 0: only once.", min=0)]
RateOption = Annotated[int | None, typer.Option(help="Most KiB a second; 0: no limit.", min=0)]
EnabledOption = Annotated[bool | None, typer.Option("--enabled/--disabled", help="Ask it at all.")]
PlainOption = Annotated[bool | None, typer.Option("--plain-http/--tls", help="HTTP without TLS is meant.")]
CaOption = Annotated[str | None, typer.Option(help="File with its certificate authority, on the host of the worker.")]


def add_to(group: typer.Typer) -> None:
    """Add the commands of this module."""
    mirror = typer.Typer(help="Other registries that are mirrored here.", no_args_is_help=True)
    for command, name in (
        (listing, "ls"), (add, "add"), (change, "set"), (remove, "rm"), (sync, "sync"), (status, "status"),
    ):  # fmt: skip
        mirror.command(name)(command)
    group.add_typer(mirror, name="mirror")


def listing(output: OutputOption = Output.TABLE) -> None:
    """List the upstreams."""
    rows = ApiClient().get("/api/v1/mirror/upstreams")
    columns = ("name", "url", "prefix", "team", "allow", "deny", "platforms", "freshness", "mirror", "every", "enabled")
    print_rows(rows, columns, output, "No registry is mirrored.")


def add(
    name: NameArgument,
    url: Annotated[str, typer.Argument(help="Where it answers: https://HOST[:PORT].")],
    team: Annotated[str, typer.Option(help="Team that owns what comes.")],
    prefix: Annotated[str, typer.Option(help="What its repositories are put below here; its name when left out.")] = "",
    rewrite: RewriteOption = None,
    user: UserOption = None,
    secret_file: SecretOption = None,
    allow: AllowOption = None,
    deny: DenyOption = None,
    platform: PlatformOption = None,
    visibility: VisibilityOption = None,
    freshness: FreshnessOption = None,
    on_pull: OnPullOption = None,
    image: MirrorOption = None,
    every: EveryOption = None,
    rate: RateOption = None,
    enabled: EnabledOption = None,
    plain_http: PlainOption = None,
    ca_file: CaOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Mirror another registry from now on: pull PREFIX/REPOSITORY here."""
    said = _said(
        rewrites=rewrite, user=user, allow=allow, deny=deny, platforms=platform, visibility=visibility,
        freshness=freshness, on_pull=on_pull, mirror=image, every=every, rate=_bytes(rate), enabled=enabled,
        plain=plain_http, ca_file=ca_file, secret=_secret(secret_file),
    )  # fmt: skip
    body = said | {"name": name, "url": url, "team": team, "prefix": prefix}
    answer = ApiClient().post("/api/v1/mirror/upstreams", body)
    if output is Output.JSON:
        print_json(answer)
    else:
        out.print(f"{escape(answer['url'])} is mirrored below {escape(answer['prefix'])}/ from now on")


def change(
    name: NameArgument,
    url: Annotated[str | None, typer.Option(help="Another address; forgets the secret.")] = None,
    rewrite: RewriteOption = None,
    user: UserOption = None,
    secret_file: SecretOption = None,
    allow: AllowOption = None,
    deny: DenyOption = None,
    platform: PlatformOption = None,
    team: TeamOption = None,
    visibility: VisibilityOption = None,
    freshness: FreshnessOption = None,
    on_pull: OnPullOption = None,
    image: MirrorOption = None,
    every: EveryOption = None,
    rate: RateOption = None,
    enabled: EnabledOption = None,
    plain_http: PlainOption = None,
    ca_file: CaOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Mirror it otherwise: what is given replaces what was; an empty text (--allow "") empties a list."""
    body = _said(
        url=url, rewrites=rewrite, user=user, allow=allow, deny=deny, platforms=platform, team=team,
        visibility=visibility, freshness=freshness, on_pull=on_pull, mirror=image, every=every, rate=_bytes(rate),
        enabled=enabled, plain=plain_http, ca_file=ca_file, secret=_secret(secret_file),
    )  # fmt: skip
    if not body:
        raise InvalidInput("Nothing is to be changed.", remedy="See `lading registry mirror set --help`.")
    answer = ApiClient().patch(f"/api/v1/mirror/upstreams/{name}", body)
    if output is Output.JSON:
        print_json(answer)
    else:
        out.print(f"{escape(name)} is mirrored otherwise from now on")


def remove(name: NameArgument) -> None:
    """Mirror it no longer and forget its secret; what came from it stays."""
    ApiClient().delete(f"/api/v1/mirror/upstreams/{name}")
    out.print(f"{escape(name)} is not mirrored any more")


def sync(name: NameArgument) -> None:
    """Carry out its plan now, and try it again if it rests."""
    ApiClient().post(f"/api/v1/mirror/upstreams/{name}/sync", {})
    out.print(f"the plan of {escape(name)} is carried out; see `lading registry mirror status`")


def status(output: OutputOption = Output.TABLE) -> None:
    """Show whether each upstream answers, what is left of its quota, what came, and what is remarkable."""
    rows = ApiClient().get("/api/v1/mirror/status")
    columns = (
        "upstream", "standing", "circuit", "next_try", "quota_left", "waiting", "running", "tags", "gone", "held",
        "images", "bytes", "synced", "error",
    )  # fmt: skip
    print_rows(rows, columns, output, "No registry is mirrored.")
    if output is not Output.JSON:
        for row in rows:
            for problem in (*row["problems"], *filter(None, [row["sync_error"]])):
                err.print(f"[yellow]{escape(row['upstream'])}[/] {escape(problem)}")


def _said(**options: Any) -> dict[str, Any]:
    """What was given; a list of nothing but an empty text is an empty list."""
    said = {key: value for key, value in options.items() if value is not None}
    return {key: [item for item in value if item] if isinstance(value, list) else value for key, value in said.items()}


def _bytes(rate: int | None) -> int | None:
    return None if rate is None else rate * 1024


def _secret(file: Path | None) -> str | None:
    """A secret from where no process list shows it; None when none was given."""
    if file is None:
        return os.environ.get(_SECRET_VARIABLE)
    if str(file) == "-":
        return sys.stdin.read(_MOST_SECRET).strip()
    try:
        with file.open(encoding="utf-8") as handle:
            return handle.read(_MOST_SECRET).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}.", remedy="Give a file with the secret.") from error
