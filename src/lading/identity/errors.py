"""The errors of identity. None of them says whether a name exists."""

from __future__ import annotations

from lading.kernel.errors import Forbidden, InvalidInput, LadingError, Unauthenticated, Unavailable


class IdentityError(LadingError):
    """Something is wrong with who asks, or with what is asked about them."""

    code = "identity"


class InvalidName(IdentityError, InvalidInput):
    """A name of a team, a person or a robot, a password or a token does not have the form it must have."""

    code = "invalid_name"


class WrongCredentials(IdentityError, Unauthenticated):
    """The token or password does not prove anybody: unknown, wrong, expired or revoked."""

    code = "wrong_credentials"


class TooManyAttempts(IdentityError, Unauthenticated):
    """Passwords were wrong too often. `retry_after` is in seconds."""

    code = "too_many_attempts"

    def __init__(self, retry_after: float) -> None:
        super().__init__("Too many failed logins.", remedy=f"Try again in {max(1, round(retry_after))} seconds.")
        self.retry_after = retry_after


class LoginRefused(IdentityError, Unauthenticated):
    """A login at the identity provider proves nobody here."""

    code = "login_refused"


class ProviderFailed(IdentityError, Unavailable):
    """The identity provider does not answer, or not as it must."""

    code = "provider_failed"


class AccessDenied(IdentityError, Forbidden):
    """The principal is known and may not do this."""

    code = "access_denied"
