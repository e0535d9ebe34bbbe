"""The configuration of an nginx that serves pulls from the tree, as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from lading.kernel.errors import InvalidInput
from lading.supply_chain.registry.tree.layout import LOG

_PLACEHOLDER: Final = re.compile(r"@@(\w+)@@")
# What may stand unquoted in a configuration of nginx; a path with anything else could end its directive.
_WORD: Final = re.compile(r"[A-Za-z0-9/._:@+=,\[\]-]+")
_NAMES: Final = re.compile(r"[A-Za-z0-9.*_-]+(?: [A-Za-z0-9.*_-]+)*")
# A block that has one error page of its own inherits none.
_ERRORS: Final = """\
        error_page 400 414 494 =400 @malformed;
        error_page 405 @not_allowed;
        error_page 413 @too_large;
        error_page 429 @too_many;
        error_page 500 502 503 504 =503 @unavailable;
"""
_WHOLE: Final = """\
user @@user@@;
worker_processes auto;
pid @@run@@/nginx.pid;
error_log @@error_log@@;
events {
    worker_connections 4096;
}
http {
@@site@@
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the configuration says.

    Attributes:
        tree: the directory of the tree, as nginx finds it.
        pull: HOST:PORT of the pull endpoint; `pull_tls` when it speaks TLS, and `pull_ca` to check it by; without that
            it is believed, which is for addresses of this machine only.
        listen: HOST:PORT or PORT to listen on.
        names: the host names, between spaces; `_` for any.
        tls: certificate chain and key, or None.
        grants: a directory in memory where nginx keeps grants; it makes it itself.
        rate, burst, connections: most requests a second, at once beyond that, and connections of one address.
        access_log: a path or `off`.
    """

    tree: Path
    pull: str
    listen: tuple[str, ...] = ("80",)
    names: str = "_"
    tls: tuple[Path, Path] | None = None
    pull_tls: bool = False
    pull_ca: Path | None = None
    grants: Path = Path("/run/lading-grants")
    rate: int = 1_000
    burst: int = 2_000
    connections: int = 256
    access_log: str = "/var/log/nginx/lading-access.log"


def site_configuration(site: Site) -> str:
    """The part of the configuration that belongs into nginx's http block.

    Raises:
        InvalidInput: something that is said cannot stand in a configuration.
    """
    if _NAMES.fullmatch(site.names) is None:
        raise InvalidInput(f"{site.names!r} are not host names.", remedy="Write them with spaces between.")
    secure = " ssl" if site.tls else ""
    values = {
        "tree": _word(site.tree),
        "pull": _word(site.pull),
        "scheme": "https" if site.pull_tls else "http",
        "listen": "\n".join(f"    listen {_word(one)}{secure};" for one in site.listen),
        "names": site.names,
        "tls": _tls(site),
        "upstream_tls": _upstream_tls(site),
        "errors": _ERRORS,
        "grants": _word(site.grants),
        "rate": str(site.rate),
        "burst": str(site.burst),
        "connections": str(site.connections),
        "access_log": _word(site.access_log),
        # In one block `off` would switch the log of pulls off as well.
        "access_also": "" if site.access_log == "off" else f"        access_log {_word(site.access_log)};\n",
        "pulls": _word(site.tree / LOG),
    }
    template = files("lading.supply_chain.registry.tree").joinpath("nginx.conf.template").read_text(encoding="utf-8")
    return _filled(template, values)


def whole_configuration(site: Site, *, user: str = "www-data", run: Path = Path("/run"), error_log: str = "") -> str:
    """A configuration for an nginx that does nothing else.

    Raises:
        InvalidInput: as `site_configuration`.
    """
    values = {
        "user": _word(user),
        "run": _word(run),
        "error_log": _word(error_log or "/var/log/nginx/error.log"),
        "site": site_configuration(site),
    }
    return _filled(_WHOLE, values)


def _tls(site: Site) -> str:
    if site.tls is None:
        return ""
    certificate, key = site.tls
    return (
        f"    ssl_certificate {_word(certificate)};\n    ssl_certificate_key {_word(key)};\n"
        "    ssl_protocols TLSv1.2 TLSv1.3;\n    ssl_session_cache shared:lading:10m;\n"
        "    ssl_session_tickets off;\n"
    )


def _upstream_tls(site: Site) -> str:
    if not site.pull_tls:
        return ""
    if site.pull_ca is None:
        return "    proxy_ssl_verify off;\n"
    host = site.pull.rpartition(":")[0].strip("[]")
    return (
        f"    proxy_ssl_verify on;\n    proxy_ssl_trusted_certificate {_word(site.pull_ca)};\n"
        f"    proxy_ssl_name {_word(host)};\n    proxy_ssl_server_name on;\n"
    )


def _word(value: str | Path) -> str:
    text = str(value)
    if _WORD.fullmatch(text) is None:
        raise InvalidInput(
            f"{text!r} cannot stand in a configuration of nginx.",
            remedy="Use paths and addresses without spaces, quotes, $, ; and braces.",
        )
    return text


def _filled(template: str, values: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)
