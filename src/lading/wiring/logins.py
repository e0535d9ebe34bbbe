"""The identity provider of the settings, and logins through it; none where none is set."""

from __future__ import annotations

from datetime import timedelta

from lading.identity import Identity
from lading.identity.oidc.login import OidcLogins
from lading.identity.oidc.provider import OidcProvider
from lading.identity.oidc.terms import Terms, read_rules
from lading.kernel.clock import Clock
from lading.kernel.errors import InvalidInput
from lading.settings import Settings
from lading.state.sealing import Sealer

_MOST_SECRET = 4_096


def open_logins(settings: Settings, identity: Identity, sealer: Sealer, clock: Clock) -> OidcLogins | None:
    """Logins through the provider that the settings name; None for none.

    Raises:
        InvalidInput: a setting does not fit, or the file with the secret cannot be read.
    """
    if not settings.oidc_issuer:
        return None
    terms = Terms(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        secret=_secret(settings),
        scopes=settings.oidc_scopes,
        name_claim=settings.oidc_name_claim,
        groups_claim=settings.oidc_groups_claim,
        rules=read_rules(settings.oidc_roles),
        lasting=timedelta(days=max(1, settings.oidc_days)),
    )
    provider = OidcProvider(terms, ca_file=settings.ca_file, clock=clock)
    return OidcLogins(identity, provider, terms, sealer, clock)


def _secret(settings: Settings) -> str:
    path = settings.oidc_client_secret_file
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            return file.read(_MOST_SECRET).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"The client secret {path} cannot be read: {error}.", remedy="Correct LADING_OIDC_CLIENT_SECRET_FILE."
        ) from error
