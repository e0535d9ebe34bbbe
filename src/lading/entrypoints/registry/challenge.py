"""How a client that proved nothing is asked to: `WWW-Authenticate` (distribution, "Token Authentication")."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request

TOKEN_PATH: Final = "/v2/token"  # noqa: S105 - a path
# A host as a client may have asked for it; anything else could break out of the quotes.
_HOST: Final = re.compile(r"(?:[A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
_BASIC: Final = 'Basic realm="lading"'


def challenge(request: Request, *, insufficient: bool = False) -> dict[str, str]:
    """The header that asks for a proof.

    An endpoint that issues tokens asks for one of its own, for the scope that this request needs; others, and requests
    for a host that is none, ask for Basic.
    """
    service = getattr(request.app.state, "service", "")
    origin = asked_origin(request)
    if not service or not origin or request.url.path == TOKEN_PATH:
        return {"WWW-Authenticate": _BASIC}
    fields = {"realm": origin + TOKEN_PATH, "service": service}
    if scope := getattr(request.state, "scope", ""):
        fields["scope"] = scope
    if insufficient:
        fields["error"] = "insufficient_scope"
    return {"WWW-Authenticate": "Bearer " + ",".join(f'{key}="{value}"' for key, value in fields.items())}


def asked_origin(request: Request) -> str:
    """Where the client found us: scheme and host as it asked, because that is what it can reach; empty for no host.

    A proxy that ends TLS says so in X-Forwarded-Proto. A client that forges it only misleads itself.
    """
    host = request.headers.get("host", "")
    if _HOST.fullmatch(host) is None:
        return ""
    secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto", "") == "https"
    return f"{'https' if secure else 'http'}://{host}"
