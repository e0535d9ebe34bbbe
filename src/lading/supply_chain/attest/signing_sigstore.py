"""Signing as an identity with sigstore-python: an authority certifies who has a token, a log records what it signs.

Which authority and which log that is, and by which root of trust they are verified, says a `ClientTrustConfig`: that of
the public instance, which sigstore-python gets and verifies by TUF, or one in a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lading.supply_chain.attest.errors import KeylessUnavailable

try:
    import id as ambient
    from cryptography import x509
    from sigstore import dsse, errors, models, oidc, sign, verify
except ImportError as missing:
    raise KeylessUnavailable(
        "Signing as an identity needs the package sigstore.", remedy="Run: pip install sigstore"
    ) from missing

_AUDIENCE: Final = "sigstore"
_MOST_CONFIG: Final = 4 << 20
_MOST_SAID: Final = 300
_WRONG: Final = (errors.Error, ValueError, KeyError, TypeError, IndexError)


class SigstoreSigner:
    """Signs with the identity of one token, at one instance of sigstore."""

    def __init__(self, token: str = "", trust_config: Path | None = None) -> None:
        """Find out who signs and where.

        Args:
            token: an OpenID Connect token for the audience `sigstore`; without it that of the pipeline we run in.
            trust_config: a file with a ClientTrustConfig; the public instance without it.

        Raises:
            KeylessUnavailable: there is no token, it does not hold any more, or the instance cannot be found out.
        """
        self._token = _identity(token or _of_pipeline())
        config = _config(trust_config)
        try:
            self._context = sign.SigningContext.from_trust_config(config)
            self._verifier = verify.Verifier(trusted_root=config.trusted_root)
        except _WRONG as error:
            raise KeylessUnavailable(
                f"Nobody can sign by this trust config: {_said(error)}.", remedy="Name another with --trust-config."
            ) from error

    @property
    def identity(self) -> str:
        return self._token.identity

    def sign(self, statement: bytes) -> bytes:
        try:
            with self._context.signer(self._token) as signer:
                bundle = signer.sign_dsse(dsse.Statement(statement))
            # What nobody could verify afterwards is not handed out.
            self._verifier.verify_dsse(bundle, _Anybody())
        except Exception as error:  # the errors of its clients are no part of what sigstore-python documents
            raise KeylessUnavailable(
                f"{self.identity} could not sign: {_said(error)}.",
                remedy="Check that the token is fresh and that authority and log can be reached from here.",
            ) from error
        return bundle.to_json().encode()


class _Anybody:
    """Every identity: it is that of our own token."""

    def verify(self, certificate: x509.Certificate) -> None:
        del certificate


def _of_pipeline() -> str:
    """The token that a pipeline (GitHub, GitLab, Buildkite, CircleCI, Google Cloud) has for sigstore."""
    try:
        token = ambient.detect_credential(_AUDIENCE)
    except ambient.IdentityError as error:
        raise KeylessUnavailable(
            f"The pipeline gives no identity: {_said(error)}.", remedy="Let it write tokens, such as id-token: write."
        ) from error
    if not token:
        raise KeylessUnavailable(
            "There is no identity to sign with: this is no pipeline that has one.",
            remedy="Name a file with an OpenID Connect token for sigstore with --identity-token-file.",
        )
    return token


def _identity(token: str) -> oidc.IdentityToken:
    try:
        return oidc.IdentityToken(token)
    except errors.Error as error:
        # Its own words alone: what is wrong with a token may quote it.
        raise KeylessUnavailable(
            "The identity token is none for sigstore, or does not hold any more.",
            remedy=f"Get a new one, for the audience {_AUDIENCE!r}.",
        ) from error


def _config(path: Path | None) -> models.ClientTrustConfig:
    try:
        if path is None:
            return models.ClientTrustConfig.production()
        if path.stat().st_size > _MOST_CONFIG:
            raise KeylessUnavailable(f"{path} has more than {_MOST_CONFIG >> 20} MiB.")
        return models.ClientTrustConfig.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        where = f"{path} cannot be read" if path else "The public instance cannot be reached"
        raise KeylessUnavailable(f"{where}: {_said(error)}.", remedy="Name a file with --trust-config.") from error
    except _WRONG as error:
        where = f"{path} is no ClientTrustConfig" if path else "The public instance cannot be found out"
        raise KeylessUnavailable(f"{where}: {_said(error)}.", remedy="Name a file with --trust-config.") from error


def _said(error: BaseException) -> str:
    """What an error says, or the one that it came from: some of them say nothing."""
    words = str(error) or str(error.__cause__ or "") or type(error).__name__
    return " ".join(words.split())[:_MOST_SAID].rstrip(".")
