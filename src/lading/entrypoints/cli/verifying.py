"""`lading verify`: who signed an image in any registry, and whether that counts. Needs no server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from lading.entrypoints.cli.images import read_secret
from lading.entrypoints.cli.options import OutputOption
from lading.entrypoints.cli.output import Output, err, out, print_json, print_rows
from lading.entrypoints.cli.scans import PlainHttpOption, TokenFileOption, UserOption
from lading.kernel.errors import ExitCode, InvalidInput
from lading.kernel.reference import Reference
from lading.lifecycle.verify import Named, Trust, Verified
from lading.policy.pack import load_pack
from lading.supply_chain.attest.keys_public import MOST_PEM, PublicKey
from lading.supply_chain.attest.statement import SIGNATURE
from lading.wiring.attesting import open_identities
from lading.wiring.verifying import open_verification

_COLUMNS = ("holds", "what", "predicate_type", "signer", "form", "at", "problem")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(verify)


def verify(
    image: Annotated[str, typer.Argument(help="HOST/NAME:TAG or HOST/NAME@DIGEST.")],
    key: Annotated[
        list[Path] | None, typer.Option("--key", help="Public key (PEM) that counts; may be given several times.")
    ] = None,
    trusted_root: Annotated[
        Path | None, typer.Option("--trusted-root", help="sigstore's trusted_root.json, for signatures by identities.")
    ] = None,
    identity: Annotated[str, typer.Option("--identity", help="Identity that counts; * is any text.")] = "",
    issuer: Annotated[str, typer.Option("--issuer", help="Who vouches for the identity; * is any text.")] = "",
    policy: Annotated[
        Path | None, typer.Option("--policy", help="Rules in CEL of stage verify: who may sign what.")
    ] = None,
    kind: Annotated[
        str, typer.Option("--type", help="Ask for a statement of this predicate type, not for a signature.")
    ] = SIGNATURE,
    user: UserOption = "",
    token_file: TokenFileOption = None,
    plain_http: PlainHttpOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Verify what lies beside an image in any registry: signatures and statements in every layout of cosign.

    Exit code 9: nothing of the kind that was asked for holds. Needs no server.
    """
    if bool(identity) != bool(issuer):
        raise InvalidInput(
            "An identity counts by who vouches for it.", remedy="Give --identity and --issuer, both or neither."
        )
    trust = Trust(
        keys=_read(key or ()),
        identities=open_identities(trusted_root) if trusted_root else None,
        named=(Named(identity, issuer),) if identity else (),
        rules=load_pack(policy) if policy else None,
    )
    secret = read_secret(token_file) if token_file else ""
    with open_verification(Reference.parse(image), trust, user=user, secret=secret, plain_http=plain_http) as opened:
        verifications, digest, repository = opened
        result = verifications.of(digest, repository, predicate_type=kind)
    _show(result, trust, output)
    if not result.passed:
        err.print(f"[bold red]not verified:[/] nothing of type {escape(kind)} holds for {escape(image)}")
        raise typer.Exit(int(ExitCode.INTEGRITY))


def _read(paths: Sequence[Path]) -> dict[str, PublicKey]:
    """Public keys by the names of their files, by which rules know them."""
    found: dict[str, PublicKey] = {}
    for path in paths:
        name = path.name.partition(".")[0]
        if name in found:
            raise InvalidInput(f"Two keys are called {name}.", remedy="Rules know keys by their files: rename one.")
        try:
            with path.open("rb") as file:
                found[name] = PublicKey.from_pem(file.read(MOST_PEM))
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read: {error.strerror}.", remedy="Name a public key.") from error
    return found


def _show(result: Verified, trust: Trust, output: Output) -> None:
    names = {key.key_id: name for name, key in trust.keys.items()}
    rows = [
        msgspec.to_builtins(one) | {"holds": one.valid, "signer": names.get(one.key_id, one.signer)}
        for one in result.found
    ]
    if output is Output.JSON:
        print_json({"image": result.image, "passed": result.passed, "found": rows})
        return
    out.print(escape(result.image))
    print_rows(rows, _COLUMNS, output, "Nothing is signed.")
