"""The errors of attestations."""

from __future__ import annotations

from lading.kernel.errors import Conflict, IntegrityFailure, InvalidInput, LadingError, NotFound


class AttestError(LadingError):
    """Something is wrong with keys, signatures or statements."""

    code = "attest"


class SignatureInvalid(AttestError, IntegrityFailure):
    """A signature does not hold, by any of the keys that were given."""

    code = "signature_invalid"


class MalformedEnvelope(AttestError, InvalidInput):
    """What should be an envelope, a statement or a signature manifest is not."""

    code = "malformed_envelope"


class NotSigned(AttestError, NotFound):
    """There is no signature of this image."""

    code = "not_signed"


class KeyUnusable(AttestError):
    """A key cannot be read or made, or is not one that Lading uses."""

    code = "key_unusable"


class KeylessUnavailable(AttestError):
    """Signatures by identities cannot be made or verified here."""

    code = "keyless_unavailable"


class KeyUnknown(AttestError, NotFound):
    """No key of that id or name is known here."""

    code = "key_unknown"


class KeyInUse(AttestError, Conflict):
    """A key cannot become what was asked of it, for what it is used for."""

    code = "key_in_use"
