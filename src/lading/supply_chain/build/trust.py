"""Which CA bundle steps of a build may trust, besides the one in their base image: the site's.

Many sites inspect TLS, and their machines trust a CA of the site. A build sees nothing of the machine, so the bundle is
mounted as the secret `site-ca` into the steps that ask for it; it is never part of an image and is named in provenance.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SECRET: Final = "site-ca"  # noqa: S105 - the name of a secret, not its value
_VARIABLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
_MACHINE: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_MOST_BYTES: Final = 500_000  # BuildKit refuses larger secrets


def site_bundle(
    configured: Path | None, environ: Mapping[str, str] | None = None, machine: Path = _MACHINE
) -> Path | None:
    """The bundle to hand to builds: the configured one, else one that the environment names, else the machine's own.

    None when there is no readable one; a configured file is returned as it is, so that its absence is noticed.
    """
    if configured is not None:
        return configured
    named = [Path(text) for name in _VARIABLES if (text := (os.environ if environ is None else environ).get(name))]
    return next((path for path in [*named, machine] if _fits(path)), None)


def secrets(configured: Path | None) -> dict[str, Path]:
    """The secrets of every build, as `BuildRequest.secrets` takes them."""
    bundle = site_bundle(configured)
    return {SECRET: bundle} if bundle is not None else {}


def _fits(path: Path) -> bool:
    try:
        return path.is_file() and 0 < path.stat().st_size <= _MOST_BYTES and os.access(path, os.R_OK)
    except OSError:
        return False
