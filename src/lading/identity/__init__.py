"""Who is asking, and what they may do: teams, people, robots, roles and tokens.

    token or password -> Identity.authenticate -> Principal -> may(principal, operation, team)

Before it: the endpoints, which read credentials off the wire. After it: every room gets a Principal and never sees a
secret. There is no default password; the first admin's token is shown once.
"""

from lading.identity.principal import ANONYMOUS, Grant, Principal, PrincipalKind, system_principal
from lading.identity.roles import ALLOWED, EVERY_TEAM, Operation, Role
from lading.identity.service import Identity, IssuedToken

__all__ = [
    "ALLOWED",
    "ANONYMOUS",
    "EVERY_TEAM",
    "Grant",
    "Identity",
    "IssuedToken",
    "Operation",
    "Principal",
    "PrincipalKind",
    "Role",
    "system_principal",
]
