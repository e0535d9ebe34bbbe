"""`lading key`: whose signatures count, and making a key to sign with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from rich.markup import escape

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import OutputOption
from lading.entrypoints.cli.output import Output, out, print_json, print_rows
from lading.kernel.errors import InvalidInput
from lading.supply_chain.attest.keys_local import generate_key
from lading.supply_chain.attest.signers.passwords import read_password

KeyArgument = Annotated[str, typer.Argument(help="Name of a key, its id, or how its id begins.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Keys: list, trust, revoke, generate.", no_args_is_help=True)
    for command, name in ((ls, "ls"), (add, "add"), (revoke, "revoke"), (generate, "generate")):
        group.command(name)(command)
    app.add_typer(group, name="key")


def ls(output: OutputOption = Output.TABLE) -> None:
    """List the keys whose signatures count, and those that were revoked."""
    rows = ApiClient().get("/api/v1/keys")
    if output is Output.TABLE:
        rows = [row | {"use": _use(row)} for row in rows]
    print_rows(rows, ("name", "use", "state", "algorithm", "since", "why", "key_id"), output, "No key is known.")


def add(
    name: Annotated[str, typer.Argument(help="What the key is called here.")],
    file: Annotated[Path, typer.Argument(help="The public key as PEM, such as cosign.pub.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Let signatures by another's key count, as far as the rules of stage `verify` let it sign."""
    try:
        pem = file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidInput(f"{file} cannot be read: {why}.", remedy="Name a public key as PEM.") from error
    if "PRIVATE KEY" in pem:
        raise InvalidInput(f"{file} is a private key.", remedy="Keep it where it is, and name the public one.")
    answer = ApiClient().post("/api/v1/keys", {"name": name, "pem": pem})
    if output is Output.JSON:
        print_json(answer)
        return
    out.print(f"signatures by {escape(answer['name'])} ({answer['key_id'][:19]}…) count now")


def revoke(
    key: KeyArgument,
    why: Annotated[str, typer.Option(help="What happened to it.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Let no signature by a key count any more, whenever it was made. For ever."""
    answer = ApiClient().post(f"/api/v1/keys/{quote(key, safe='')}/revoke", {"why": why})
    if output is Output.JSON:
        print_json(answer)
        return
    out.print(f"no signature by {escape(answer['name'])} counts any more")
    if answer["ours"]:
        out.print("what Lading stated with it is signed anew now, with its present key")


def generate(
    file: Annotated[Path, typer.Argument(help="Where the private key is put; the public one beside it, as FILE.pub.")],
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="A file whose first line encrypts the private key.")
    ] = None,
) -> None:
    """Make a key pair to sign with (ECDSA P-256, PEM). Needs no server; LADING_SIGNING_KEY=FILE lets one use it."""
    made = generate_key(file, read_password(password_file))
    out.print(f"{escape(str(file))} is the private key {made.key_id[:19]}…, {escape(str(file))}.pub the public one")
    out.print(f"[dim]next[/] LADING_SIGNING_KEY={escape(str(file.absolute()))} lading up")


def _use(row: dict[str, object]) -> str:
    if row["signs"]:
        return "signs"
    return "signed" if row["ours"] else "trusted"
