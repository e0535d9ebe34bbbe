"""`lading login`, `lading team`, `lading robot`, `lading person`: who may do what."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lading.entrypoints.cli.client import ApiClient, keep_token
from lading.entrypoints.cli.device_login import oidc_token
from lading.entrypoints.cli.options import OutputOption
from lading.entrypoints.cli.output import Output, err, out, print_rows
from lading.kernel.errors import InvalidInput

RoleArgument = Annotated[str, typer.Argument(help="viewer, developer, operator, security or admin.")]
RepositoriesOption = Annotated[str, typer.Option(help="Pattern of repositories that it is for, such as shop/*.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(login)
    app.command()(logout)
    app.command()(whoami)
    team = typer.Typer(help="Teams: list, create.", no_args_is_help=True)
    team.command("ls")(teams)
    team.command("create")(create_team)
    app.add_typer(team, name="team")
    robot = typer.Typer(help="Robot accounts: create, list, disable.", no_args_is_help=True)
    robot.command("create")(create_robot)
    robot.command("ls")(robots)
    robot.command("disable")(disable)
    app.add_typer(robot, name="robot")
    person = typer.Typer(help="People: create, list, disable, grant a role.", no_args_is_help=True)
    person.command("create")(create_person)
    person.command("ls")(people)
    person.command("disable")(disable)
    person.command("link")(link)
    person.command("grant")(grant)
    person.command("withdraw")(withdraw)
    app.add_typer(person, name="person")
    token = typer.Typer(help="Tokens: list, revoke, sign with another key.", no_args_is_help=True)
    token.command("ls")(tokens)
    token.command("revoke")(revoke_token)
    token.command("rotate-keys")(rotate_keys)
    app.add_typer(token, name="token")


def login(
    token_file: Annotated[Path | None, typer.Option(help="File with the token; by default it is asked for.")] = None,
    oidc: Annotated[bool, typer.Option("--oidc", help="Log in at the identity provider, in any browser.")] = False,
    docker: Annotated[
        bool, typer.Option("--show-token", help="Print the token as well, for `docker login --password-stdin`.")
    ] = False,
) -> None:
    """Keep a token for this API, readable by you only."""
    if oidc:
        token = oidc_token()
    elif token_file:
        token = token_file.read_text(encoding="utf-8").strip()
    elif sys.stdin.isatty():
        token = typer.prompt("Token", hide_input=True, err=True).strip()
    else:
        token = sys.stdin.readline().strip()
    if not token:
        raise InvalidInput("No token was given.", remedy="`lading up` printed the first one.")
    client = ApiClient(token=token)
    known = client.get("/api/v1/whoami")
    keep_token(client.api, token)
    err.print(f"Logged in to {client.api} as {known['principal']}.")
    if docker:
        out.print(token)


def logout() -> None:
    """Forget the token for this API."""
    client = ApiClient()
    keep_token(client.api, None)
    err.print(f"Logged out of {client.api}.")


def whoami(output: OutputOption = Output.TABLE) -> None:
    """Say who the token belongs to and which roles that one has."""
    known = ApiClient().get("/api/v1/whoami")
    rows = [
        {"principal": known["principal"], "team": team, "role": role, "repositories": "".join(pattern) or "all"}
        for team, role, *pattern in [*known["roles"], *known["narrowed"]]
    ]
    columns = ("principal", "team", "role", "repositories")
    print_rows(rows, columns, output, f"{known['principal']} has no role in any team.")


def teams(output: OutputOption = Output.TABLE) -> None:
    """List teams."""
    print_rows(ApiClient().get("/api/v1/teams"), ("team", "members", "created"), output, "There is no team yet.")


def create_team(team: Annotated[str, typer.Argument(help="Name of the team.")]) -> None:
    """Create a team."""
    ApiClient().post("/api/v1/teams", {"team": team})
    out.print(f"team {team} exists")


def create_robot(
    robot: Annotated[str, typer.Argument(help="TEAM/NAME of the robot.")],
    role: Annotated[str, typer.Option(help="viewer, developer, operator, security or admin.")] = "developer",
    days: Annotated[int, typer.Option(help="Days until its token expires.", min=1, max=3650)] = 365,
    token_file: Annotated[Path | None, typer.Option(help="File to write the token to, readable by you only.")] = None,
) -> None:
    """Create a robot account and show its token once. Use it with `docker login -u TEAM/NAME --password-stdin`."""
    team, slash, name = robot.partition("/")
    if not slash:
        raise InvalidInput(f"{robot!r} names no team.", remedy="Write it as TEAM/NAME.")
    answer = ApiClient().post(f"/api/v1/teams/{team}/robots", {"name": name, "role": role, "days": days})
    if token_file:
        token_file.touch(mode=0o600)
        token_file.write_text(answer["token"] + "\n", encoding="utf-8")
        err.print(f"The token of robot {robot} is in {token_file}.")
        return
    err.print(f"The token of robot {robot}, shown once:")
    out.print(answer["token"])


def create_person(person: Annotated[str, typer.Argument(help="Name of the person.")]) -> None:
    """Create a person and show a token for them once."""
    answer = ApiClient().post("/api/v1/people", {"name": person})
    err.print(f"The token of {person}, shown once:")
    out.print(answer["token"])


def link(
    person: Annotated[str, typer.Argument(help="person:NAME.")],
    subject: Annotated[str, typer.Argument(help="Their subject (sub) at the identity provider.")],
) -> None:
    """Let somebody log in at the identity provider as a person who is here already."""
    ApiClient().post(f"/api/v1/people/{person}/link", {"subject": subject})
    out.print(f"{person} logs in as {subject}")


def people(output: OutputOption = Output.TABLE) -> None:
    """List people with their roles."""
    _print_principals("person:", output)


def robots(output: OutputOption = Output.TABLE) -> None:
    """List robots with their roles."""
    _print_principals("robot:", output)


def disable(principal: Annotated[str, typer.Argument(help="person:NAME or robot:TEAM/NAME.")]) -> None:
    """Let nothing prove somebody any more, and revoke their tokens."""
    ApiClient().post(f"/api/v1/principals/{principal}/disable")
    out.print(f"{principal} is disabled")


def _print_principals(kind: str, output: Output) -> None:
    rows = [
        {
            "principal": row["principal"],
            "roles": ", ".join(
                f"{role} of {team}{f' for {name}' if name else ''}" for team, role, name in row["roles"]
            ),
            "state": "disabled" if row["disabled"] else "",
            "created": row["created"],
        }
        for row in ApiClient().get("/api/v1/principals")
        if row["principal"].startswith(kind)
    ]
    print_rows(rows, ("principal", "roles", "state", "created"), output, "There is nobody that you may see.")


def grant(
    principal: Annotated[str, typer.Argument(help="person:NAME or robot:TEAM/NAME.")],
    team: Annotated[str, typer.Argument(help="Team.")],
    role: RoleArgument,
    repositories: RepositoriesOption = "",
) -> None:
    """Give a principal a role in a team, or for some of its repositories only."""
    body = {"principal": principal, "team": team, "role": role, "repositories": repositories}
    ApiClient().post("/api/v1/roles", body)
    out.print(f"{principal} is {role} of {team}{f' for {repositories}' if repositories else ''}")


def withdraw(
    principal: Annotated[str, typer.Argument(help="person:NAME or robot:TEAM/NAME.")],
    team: Annotated[str, typer.Argument(help="Team.")],
    role: RoleArgument,
    repositories: RepositoriesOption = "",
) -> None:
    """Take a role from a principal; within a second it counts no longer."""
    body = {"principal": principal, "team": team, "role": role, "repositories": repositories}
    ApiClient().post("/api/v1/roles/withdraw", body)
    out.print(f"{principal} is no longer {role} of {team}{f' for {repositories}' if repositories else ''}")


def tokens(output: OutputOption = Output.TABLE) -> None:
    """List tokens by id; what they are is not kept anywhere."""
    columns = ("id", "principal", "purpose", "created", "until", "used")
    print_rows(ApiClient().get("/api/v1/tokens"), columns, output, "There is no token.")


def revoke_token(token: Annotated[str, typer.Argument(help="Id of the token.")]) -> None:
    """Make a token worthless at once."""
    ApiClient().delete(f"/api/v1/tokens/{token}")
    out.print("revoked")


def rotate_keys(
    after: Annotated[int, typer.Option(help="Minutes until it signs: time to copy the file to other hosts.")] = 0,
) -> None:
    """Sign the short-lived tokens of the registry with a new key."""
    made = ApiClient().post("/api/v1/token-keys", {"minutes": after})
    out.print(f"key {made['key']} signs from {made['since'][:19]} on")
