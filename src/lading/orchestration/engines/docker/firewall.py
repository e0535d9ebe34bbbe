"""Leave the machine's packet filter as it was before a private engine: engines do not tidy up after themselves.

Only rules that name one of the given bridges go. The FORWARD policy, which an engine sets to DROP, is put back once no
bridge of any engine is left.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Collection, Iterator
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Any, Final

_TABLES: Final = ("filter", "nat")
_POLICY: Final = re.compile(r"-P FORWARD (?P<policy>\w+)")
_INTERFACE: Final = re.compile(r"(?:^|\s)-[io] (?P<name>\S+)")
_SECONDS: Final = 20


def remember_policy(file: Path) -> None:
    """Write down the FORWARD policy, unless that was done before."""
    if not file.exists() and (match := _POLICY.search(_run("iptables", "-S", "FORWARD"))):
        file.write_text(match["policy"], encoding="ascii")


def bridges_in(networks: Collection[IPv4Network]) -> list[str]:
    """Bridges that engines made (`br-…`) with an address in one of the networks."""
    return [link["ifname"] for link in _links() if link["ifname"].startswith("br-") and _lies_in(link, networks)]


def forget(bridges: set[str], policy_file: Path) -> None:
    """Remove the bridges, the rules that name them, and the DROP policy when no other engine needs it."""
    for bridge in bridges:
        _run("ip", "link", "delete", bridge)
    for table, rule in _rules():
        if bridges & set(_named(rule)):
            _run("iptables", "-w", "5", "-t", table, "-D", *shlex.split(rule)[1:])
    there = {link["ifname"] for link in _links()}
    others = {name for table, rule in _rules() if "DOCKER" in rule for name in _named(rule)} & there
    if not others and policy_file.exists():
        _run("iptables", "-w", "5", "-P", "FORWARD", policy_file.read_text(encoding="ascii").strip())


def _rules() -> Iterator[tuple[str, str]]:
    for table in _TABLES:
        for line in _run("iptables", "-w", "5", "-t", table, "-S").splitlines():
            if line.startswith("-A "):
                yield table, line


def _named(rule: str) -> list[str]:
    return [match["name"] for match in _INTERFACE.finditer(rule)]


def _links() -> list[dict[str, Any]]:
    listed = json.loads(_run("ip", "-json", "-4", "address") or "[]")
    return [link for link in listed if isinstance(link, dict) and link.get("ifname")]


def _lies_in(link: dict[str, Any], networks: Collection[IPv4Network]) -> bool:
    addresses = [ip_address(item["local"]) for item in link.get("addr_info", []) if "local" in item]
    return any(address in network for address in addresses for network in networks)


def _run(*command: str) -> str:
    """What a command printed; nothing when it failed: tidying up must not stand in the way of stopping."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout if ended.returncode == 0 else ""
