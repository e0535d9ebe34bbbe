"""`lading sign`: sign an image in any registry as an identity, without a key. Needs no server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.markup import escape

from lading.entrypoints.cli.images import read_secret
from lading.entrypoints.cli.options import OutputOption
from lading.entrypoints.cli.output import Output, err, out, print_json
from lading.entrypoints.cli.scans import PlainHttpOption, TokenFileOption, UserOption
from lading.kernel.errors import InvalidInput
from lading.kernel.reference import Reference
from lading.supply_chain.attest.statement import SIGNATURE
from lading.wiring.signing import open_signer, open_signing

_MOST_PREDICATE: Final = 32 << 20


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(sign)


def sign(
    image: Annotated[str, typer.Argument(help="HOST/NAME:TAG or HOST/NAME@DIGEST.")],
    kind: Annotated[
        str, typer.Option("--type", help="State a predicate of this type, instead of signing alone.")
    ] = SIGNATURE,
    predicate: Annotated[Path | None, typer.Option("--predicate", help="File with the predicate, as JSON.")] = None,
    identity_token_file: Annotated[
        Path | None,
        typer.Option(
            "--identity-token-file",
            help="File with an OpenID Connect token for the audience sigstore; without it that of the pipeline.",
        ),
    ] = None,
    trust_config: Annotated[
        Path | None,
        typer.Option("--trust-config", help="sigstore's ClientTrustConfig; without it the public instance signs."),
    ] = None,
    user: UserOption = "",
    token_file: TokenFileOption = None,
    plain_http: PlainHttpOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Sign an image in any registry as an identity, or state something about it (keyless, with sigstore).

    Identity, digest and time are written to the log of the instance, which is public unless it is your own.
    """
    if (kind == SIGNATURE) != (predicate is None):
        raise InvalidInput("A statement is a type and a predicate.", remedy="Give --type and --predicate, or neither.")
    said = _read(predicate) if predicate else {}
    reference = Reference.parse(image)
    signer = open_signer(read_secret(identity_token_file) if identity_token_file else "", trust_config)
    secret = read_secret(token_file) if token_file else ""
    with open_signing(reference, signer, user=user, secret=secret, plain_http=plain_http) as opened:
        keyless, digest, repository = opened
        err.print(f"signing {escape(repository)}@{digest} as {escape(signer.identity)}", soft_wrap=True)
        signed = keyless.state(digest, repository, kind, said)
    if output is Output.JSON:
        told = {"image": str(digest), "identity": signer.identity, "predicate_type": kind, "digest": str(signed)}
        print_json(told)
        return
    out.print(f"[green]signed:[/] {escape(image)} has {escape(kind)} in {signed}", soft_wrap=True)


def _read(path: Path) -> dict[str, Any]:
    """The predicate in a file; raises InvalidInput."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_PREDICATE + 1)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.", remedy="Name a JSON file.") from error
    if len(content) > _MOST_PREDICATE:
        raise InvalidInput(f"{path} has more than {_MOST_PREDICATE >> 20} MiB.", remedy="State less.")
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{path} is no JSON object: {str(error)[:200]}.", remedy="Name a JSON file.") from error
