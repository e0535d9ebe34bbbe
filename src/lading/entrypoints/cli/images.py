"""`lading image`: what the registry holds, in which state, and the moves between states."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.options import LimitOption, OutputOption, WhyOption, YesOption
from lading.entrypoints.cli.output import Output, out, print_json, print_rows
from lading.entrypoints.cli.progress import follow_job
from lading.kernel.errors import InvalidInput

ImageArgument = Annotated[str, typer.Argument(help="REPOSITORY:TAG or a digest.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help="Images: list, show, move, tag, copy, remove, export.", no_args_is_help=True)
    for command, name in (
        (listing, "ls"), (show, "show"), (approve, "approve"), (quarantine, "quarantine"), (revoke, "revoke"),
        (sbom, "sbom"), (verify, "verify"), (findings, "findings"), (weaknesses, "weaknesses"),
        (tag, "tag"), (owner, "owner"), (copy, "copy"), (remove, "rm"),
    ):  # fmt: skip
        group.command(name)(command)
    app.add_typer(group, name="image")


def listing(
    repository: Annotated[str, typer.Argument(help="Only this repository.")] = "",
    state: Annotated[str, typer.Option(help="Only quarantined, approved or revoked.")] = "",
    limit: LimitOption = 100,
    output: OutputOption = Output.TABLE,
) -> None:
    """List images, youngest first."""
    rows = ApiClient().get("/api/v1/images", repository=repository or None, state=state or None, limit=limit)
    columns = ("repository", "tags", "state", "team", "worst", "packages", "size_mb", "digest", "pushed")
    print_rows(rows, columns, output, "The registry holds no such image. Push one or run `lading ship`.")


def show(image: ImageArgument, output: OutputOption = Output.TABLE) -> None:
    """Show one image: state, owner, layers, packages and findings."""
    found = ApiClient().get(f"/api/v1/images/{image}")
    if output is Output.JSON:
        print_json(found)
        return
    for key in (
        "repository",
        "tags",
        "digest",
        "state",
        "why",
        "until",
        "replaced_by",
        "team",
        "principal",
        "commit",
        "pushed",
        "pull",
    ):
        if value := found.get(key):
            shown = ", ".join(value) if isinstance(value, list) else str(value)
            out.print(f"[bold]{key:<12}[/]{escape(shown)}")
    for one in found["lineage"]["line"]:
        if one["digest"]:
            age = f", {one['age_days']} days old" if one["age_days"] >= 0 else ""
            newer = f", outdated since {one['moved_at'][:10]}" if one["moved_to"] else ""
            out.print(f"[bold]{'built on':<12}[/]{escape(one['name'] or 'no tag')} {one['digest'][:19]}…{age}{newer}")
    if count := found["lineage"]["built_on_it"]:
        out.print(f"[bold]{'built on it':<12}[/]{count} images")
    for one in found["unspoken"]:
        label = f"[bold]{'not judged':<12}[/]"
        out.print(f"{label}{one['packages']} packages of {escape(one['ecosystem'])}: no advisory is known of it")
    if found["members"]:
        print_rows(found["members"], ("platform", "digest", "state", "why"), output, "")
    if reported := [row for row in found["reports"] if row["current"]]:
        print_rows(reported, ("tool", "version", "kind", "said", "at"), output, "")
    if found["running"]:
        print_rows(found["running"], ("workload", "name", "team", "node"), output, "")
    print_rows(found["layers"], ("digest", "size_mb", "packages", "team", "origin"), output, "It has no layers.")


def findings(image: ImageArgument, output: OutputOption = Output.TABLE) -> None:
    """List what is known to be wrong with an image, worst first."""
    rows = ApiClient().get(f"/api/v1/images/{image}/findings")
    columns = (
        "severity",
        "id",
        "package",
        "version",
        "fixed",
        "kev",
        "epss",
        "reported_by",
        "owner",
        "origin",
        "layer",
    )
    aside = ApiClient().get(f"/api/v1/images/{image}/findings", set_aside="true")
    if output is Output.JSON:
        print_json([*rows, *aside])
        return
    print_rows(rows, columns, output, "Nothing is known to be wrong with it.")
    if aside:
        out.print(f"[bold]Set aside[/]: {len(aside)} that do not count as long as somebody answers for it")
        said = [
            row | {key: row["vex"].get(key, "") for key in ("status", "justification", "author", "until")}
            for row in aside
        ]
        print_rows(
            said, ("severity", "id", "package", "version", "status", "justification", "author", "until"), output, ""
        )


def weaknesses(image: ImageArgument, output: OutputOption = Output.TABLE) -> None:
    """List what is weak about an image, worst first: secrets, settings, licences, ends of support, its base."""
    rows = ApiClient().get(f"/api/v1/images/{image}/weaknesses")
    columns = ("severity", "rule", "message", "file", "line", "owner", "remedy")
    print_rows(rows, columns, output, "No rule finds it weak.")


def approve(
    image: ImageArgument,
    why: WhyOption = "approved by hand",
    days: Annotated[int, typer.Option(help="Days until the approval expires.", min=1, max=365)] = 90,
) -> None:
    """Approve a quarantined image by hand."""
    _move(image, "approve", {"why": why, "days": days})


def quarantine(image: ImageArgument, why: WhyOption = "quarantined by hand") -> None:
    """Withdraw the approval of an image."""
    _move(image, "quarantine", {"why": why})


def revoke(
    image: ImageArgument,
    why: WhyOption = "revoked by hand",
    replaced_by: Annotated[str, typer.Option(help="Image to use instead.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Refuse an image on every pull path from now on, and list the containers that still run it."""
    answer = _move(image, "revoke", {"why": why, "replaced_by": replaced_by}, output)
    if output is Output.TABLE:
        columns = ("workload", "name", "team", "node")
        print_rows(answer.get("running", []), columns, output, "No running container uses it.")


def tag(image: ImageArgument, name: Annotated[str, typer.Argument(help="The tag that it gets.")]) -> None:
    """Give an image another tag in its repository."""
    answer = ApiClient().post(f"/api/v1/images/{image}/tag", {"tag": name})
    out.print(f"{escape(answer['repository'])}:{escape(answer['tag'])} is {answer['digest']}")


def owner(
    image: ImageArgument, team: Annotated[str, typer.Argument(help="Team that it belongs to from now on.")]
) -> None:
    """Give an image to another team."""
    answer = ApiClient().post(f"/api/v1/images/{image}/owner", {"team": team})
    out.print(f"{answer['digest']} belongs to {escape(answer['team'])}")


def copy(
    source: Annotated[str, typer.Argument(help="[REGISTRY/]REPOSITORY[:TAG][@DIGEST]; without REGISTRY: this one.")],
    target: Annotated[str, typer.Argument(help="[REGISTRY/]REPOSITORY[:TAG]; without REGISTRY: this one.")],
    platform: Annotated[str, typer.Option(help="Of an index, only the image for this, such as linux/amd64.")] = "",
    source_user: Annotated[str, typer.Option(help="User at the registry that it comes from.")] = "",
    target_user: Annotated[str, typer.Option(help="User at the registry that it goes to.")] = "",
    source_token_file: Annotated[Path | None, typer.Option(help="File with that user's token.")] = None,
    target_token_file: Annotated[Path | None, typer.Option(help="File with that user's token.")] = None,
    plain_http: Annotated[bool, typer.Option("--plain-http", help="The other registry has no TLS.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Copy an image with its signatures and attestations, between repositories or registries."""
    client = ApiClient()
    ends = [
        {"image": image, "user": user, "secret": read_secret(file) if file else "", "plain": plain_http}
        for image, user, file in ((source, source_user, source_token_file), (target, target_user, target_token_file))
    ]
    job = client.post("/api/v1/copies", {"source": ends[0], "target": ends[1], "platform": platform})
    result = follow_job(client, job["id"], output)
    if output is Output.TABLE:
        out.print(f"{result['digest']}: {result['manifests']} manifests, {result['referrers']} of them refer to it")


def remove(image: ImageArgument, yes: YesOption = False) -> None:
    """Remove a tag; or, named by its digest (REPOSITORY@sha256:…), an image from a repository."""
    if not yes:
        typer.confirm(f"Remove {image}?", abort=True)
    answer = ApiClient().delete(f"/api/v1/images/{image}")
    out.print(f"{escape(answer['removed'])} is gone from {escape(answer['repository'])}")


def read_secret(file: Path) -> str:
    """A token from a file; raises InvalidInput."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}.", remedy="Name a file with the token alone.") from error


def sbom(
    image: ImageArgument,
    to: Annotated[Path | None, typer.Option(help="File to write instead of standard output.")] = None,
) -> None:
    """Export the inventory of an image as CycloneDX 1.6."""
    document = ApiClient().get(f"/api/v1/images/{image}/sbom")
    if to is None:
        print_json(document)
        return
    to.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2))
    out.print(f"{to}: {len(document.get('components', []))} components")


def verify(image: ImageArgument, output: OutputOption = Output.TABLE) -> None:
    """Verify every signature and attestation of an image, now: by the keys that count, and who may sign what.

    Exit code 9: no signature holds, or none of the attestations of one type does.
    """
    rows = ApiClient().get(f"/api/v1/images/{image}/attestations")
    columns = ("what", "predicate_type", "holds", "signer", "form", "until", "problem", "digest")
    print_rows(rows, columns, output, "It has no signature.")
    # What an ended approval or a revoked key stated goes on to lie there, beside what took its place.
    asked = {"signature", *(row["predicate_type"] for row in rows if row["what"] == "attestation")}
    held = {row["predicate_type"] if row["what"] == "attestation" else "signature" for row in rows if row["holds"]}
    if asked - held:
        raise typer.Exit(9)


def _move(image: str, move: str, body: dict[str, Any], output: Output = Output.TABLE) -> dict[str, Any]:
    answer = ApiClient().post(f"/api/v1/images/{image}/{move}", body)
    if output is Output.JSON:
        print_json(answer)
    else:
        out.print(f"{escape(answer['digest'])} is {answer['state']}: {escape(answer['why'])}")
    return dict(answer)
