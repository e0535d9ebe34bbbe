"""Render pages with Jinja: everything is escaped unless it was made by `pictures`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse

from lading.entrypoints.web import pictures

_ANSI: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def _short(digest: object) -> str:
    return str(digest).rpartition(":")[2][:12]


def _clean(text: object) -> str:
    """Text from a container, without terminal escapes and control characters."""
    return _ANSI.sub("", str(text))


def _megabytes(size: float) -> str:
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


_environment: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {"short": _short, "clean": _clean, "megabytes": _megabytes}
_environment.globals["severity_bar"] = pictures.severity_bar


def render(name: str, context: dict[str, Any], status: int = 200) -> HTMLResponse:
    """A page by name."""
    body = _environment.get_template(f"{name}.html").render(page=name, **context)
    return HTMLResponse(body, status, HEADERS)
