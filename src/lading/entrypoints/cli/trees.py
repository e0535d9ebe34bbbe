"""`lading registry tree` and `lading registry nginx`: the files that a static server serves pulls from. Run on the host
that has them, with its settings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from lading import settings as settings_module
from lading.entrypoints.cli.options import LimitOption, OutputOption
from lading.entrypoints.cli.output import Output, err, out, print_json, print_rows
from lading.kernel.errors import ExitCode, InvalidInput, Unavailable
from lading.settings import Address, Settings
from lading.supply_chain.registry.tree.beat import Beat, BeatReader
from lading.supply_chain.registry.tree.files import TreeFiles
from lading.supply_chain.registry.tree.nginx import Site, site_configuration, whole_configuration
from lading.wiring.tree import differences

_WAIT_SECONDS: Final = 3_600
_LOOK_SECONDS: Final = 0.2
_CA: Final = Path("/etc/ssl/certs/ca-certificates.crt")
DataOption = Annotated[str | None, typer.Option("--data", help="Data directory; default LADING_DATA.")]


def add_to(group: typer.Typer) -> None:
    """Add the commands of this module."""
    tree = typer.Typer(help="The files that nginx serves pulls from: status, rebuild, verify.", no_args_is_help=True)
    for command in (status, rebuild, verify):
        tree.command(command.__name__)(command)
    group.add_typer(tree, name="tree")
    group.command("nginx")(nginx)


def status(data: DataOption = None, output: OutputOption = Output.TABLE) -> None:
    """Show how far the tree is. Exit code 5: nothing is served from it now, because nobody keeps it up to date."""
    settings, directory = _tree(data)
    reader = BeatReader(directory)
    beat = reader.read() or Beat()
    age = reader.age(beat)
    row = {
        "directory": str(directory),
        "fresh": reader.is_fresh(),
        "entry": beat.seq,
        "behind": beat.behind,
        "age": "unknown" if age is None else f"{age:.1f} s",
        "compared": beat.compared or "not yet",
        "group": settings.tree_group or "none",
    }
    if output is Output.JSON:
        print_json(row)
    else:
        print_rows([row], tuple(row), output, "")
    if not row["fresh"]:
        raise typer.Exit(int(ExitCode.UNAVAILABLE))


def rebuild(data: DataOption = None) -> None:
    """Compare all of the tree with the database, and mend it; waits until that is done."""
    settings, directory = _tree(data)
    files, reader = TreeFiles(directory, settings.tree_group), BeatReader(directory)
    before = (reader.read() or Beat()).compared
    if files.open():
        files.close()
        raise Unavailable(
            f"Nobody keeps the tree {directory}.", remedy="Start Lading (`lading up`): it compares it all by itself."
        )
    files.ask()
    until = time.monotonic() + _WAIT_SECONDS
    while (reader.read() or Beat()).compared in ("", before):
        if time.monotonic() > until:
            raise Unavailable("The comparison did not end within an hour.", remedy="See the log of the worker.")
        time.sleep(_LOOK_SECONDS)
    out.print("compared")


def verify(data: DataOption = None, limit: LimitOption = 100, output: OutputOption = Output.TABLE) -> None:
    """Look for files that are not as they should be, changing nothing. Exit code 9: there are some.

    What changes while it looks may be among them; look twice.
    """
    settings, directory = _tree(data)
    found = differences(settings, directory)
    rows = [{"difference": text} for text in found[:limit]]
    print_rows(rows, ("difference",), output, "The tree is as it should be.")
    if found:
        raise typer.Exit(int(ExitCode.INTEGRITY))


def nginx(
    data: DataOption = None,
    listen: Annotated[list[str] | None, typer.Option(help="PORT or ADDRESS:PORT; may be repeated.")] = None,
    server_name: Annotated[str, typer.Option(help="Host names, between spaces; _ for any.")] = "_",
    file: Annotated[Path | None, typer.Option("--file", help="Write to this file instead of the terminal.")] = None,
    whole: Annotated[bool, typer.Option("--whole", help="A complete nginx.conf instead of a file for conf.d.")] = False,
    user: Annotated[str, typer.Option(help="User that nginx runs as; with --whole.")] = "www-data",
    grants: Annotated[Path, typer.Option(help="Where nginx keeps grants; in memory.")] = Path("/run/lading-grants"),
    rate: Annotated[int, typer.Option(min=1, help="Most requests a second of one address.")] = 1_000,
    connections: Annotated[int, typer.Option(min=1, help="Most connections of one address.")] = 256,
    access_log: Annotated[str, typer.Option(help="Path, or off.")] = "/var/log/nginx/lading-access.log",
) -> None:
    """Write the configuration of an nginx that serves pulls from the tree (Debian: nginx-light)."""
    settings, directory = _tree(data)
    site = Site(
        tree=directory,
        pull=_reached(settings.pull_addr),
        listen=tuple(listen or (["443", "[::]:443"] if settings.tls else ["80", "[::]:80"])),
        names=server_name,
        tls=settings.tls,
        pull_tls=settings.tls is not None,
        pull_ca=None if settings.pull_addr.is_loopback else settings.ca_file or _CA,
        grants=grants,
        rate=rate,
        burst=2 * rate,
        connections=connections,
        access_log=access_log,
    )
    text = whole_configuration(site, user=user) if whole else site_configuration(site)
    if file is None:
        typer.echo(text, nl=False)
    else:
        _written(file, text)
    for warning in _warnings(settings, directory):
        err.print(f"[bold]note:[/] {warning}")


def _tree(data: str | None) -> tuple[Settings, Path]:
    settings = settings_module.load({"data": data})
    directory = settings.tree_directory
    if directory is None:
        raise InvalidInput("No tree is kept here: LADING_TREE is off.", remedy="Set it to a directory, or to nothing.")
    return settings, directory


def _reached(address: Address) -> str:
    host = "127.0.0.1" if address.host == "0.0.0.0" else address.host  # noqa: S104 - a comparison
    return str(Address(host, address.port))


def _written(file: Path, text: str) -> None:
    scratch = file.with_name(f".{file.name}.new")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(file)
    except OSError as error:
        raise InvalidInput(
            f"{file} cannot be written: {error.strerror}.", remedy="Give another with --file."
        ) from error
    out.print(f"written to {file}; test it with `nginx -t`, then reload nginx")


def _warnings(settings: Settings, directory: Path) -> list[str]:
    """Why nginx may not be able to read the tree."""
    found = []
    if not settings.tree_group:
        found.append("LADING_TREE_GROUP is empty, so only Lading's own user may read the tree. Set it to www-data.")
    if not settings.trusted_proxies:
        found.append("LADING_TRUSTED_PROXIES is empty, so all calls count as nginx's own. Set it to 127.0.0.1/32.")
    closed = next((path for path in directory.parents if path.is_dir() and not path.stat().st_mode & 0o001), None)
    if closed is not None:
        found.append(
            f"{closed} lets nobody else pass. Set LADING_TREE to a directory beside it, on the same file system, "
            f"such as {closed}-tree."
        )
    return found
