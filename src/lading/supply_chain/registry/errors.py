"""What can go wrong in the registry. Each error knows its code in OCI distribution 1.1 ("Error Codes")."""

from __future__ import annotations

from typing import ClassVar

from lading.kernel.errors import (
    Conflict,
    Forbidden,
    IntegrityFailure,
    InvalidInput,
    LadingError,
    NotFound,
    Unauthenticated,
    Unavailable,
)


class RegistryError(LadingError):
    """The root of this room's errors."""

    oci_code: ClassVar[str] = "UNSUPPORTED"


class NameInvalid(RegistryError, InvalidInput):
    """A repository name breaks the grammar."""

    oci_code = "NAME_INVALID"


class NameUnknown(RegistryError, NotFound):
    """There is no such repository."""

    oci_code = "NAME_UNKNOWN"


class ManifestUnknown(RegistryError, NotFound):
    """There is no such tag or manifest in the repository."""

    oci_code = "MANIFEST_UNKNOWN"


class ManifestInvalid(RegistryError, InvalidInput):
    """A manifest is malformed, too large, or not what its digest says."""

    oci_code = "MANIFEST_INVALID"


class ManifestBlobUnknown(RegistryError, NotFound):
    """A manifest names a blob that was never pushed."""

    oci_code = "MANIFEST_BLOB_UNKNOWN"


class BlobUnknown(RegistryError, NotFound):
    """There is no such blob in the repository."""

    oci_code = "BLOB_UNKNOWN"


class DigestInvalid(RegistryError, InvalidInput):
    """The content does not have the digest that was given for it."""

    oci_code = "DIGEST_INVALID"


class BlobInUse(RegistryError, Conflict):
    """A blob is a part of a manifest, and cannot be deleted while it is."""

    oci_code = "UNSUPPORTED"


class UploadUnknown(RegistryError, NotFound):
    """There is no such upload; it was finished, cancelled or never started."""

    oci_code = "BLOB_UPLOAD_UNKNOWN"


class UploadBusy(RegistryError, Conflict):
    """Another writer holds the upload."""

    oci_code = "BLOB_UPLOAD_INVALID"


class SizeInvalid(RegistryError, InvalidInput):
    """A body is not as long as it says, or a number is none."""

    oci_code = "SIZE_INVALID"


class TooLarge(RegistryError, InvalidInput):
    """A body is larger than is taken."""

    oci_code = "SIZE_INVALID"


class TooSlow(RegistryError, InvalidInput):
    """A body that is held in memory did not arrive in time."""

    oci_code = "SIZE_INVALID"


class RangeInvalid(RegistryError, InvalidInput):
    """A chunk does not begin where the upload ends, or a range lies outside the blob."""

    oci_code = "BLOB_UPLOAD_INVALID"

    def __init__(self, what: str, *, offset: int, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.offset = offset


class Denied(RegistryError, Forbidden):
    """The image or the operation is not allowed for the one who asks. `stated`: a fact says so already."""

    oci_code = "DENIED"
    stated = False


class ScopeMissing(RegistryError, Unauthenticated):
    """A token of the token flow was not given for what it is used for."""

    oci_code = "UNAUTHORIZED"


class TooManyRequests(RegistryError, Unavailable):
    """Somebody asked, or failed to log in, more often than they may. `retry_after` is in seconds."""

    oci_code = "TOOMANYREQUESTS"

    def __init__(self, what: str, *, retry_after: float, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy or f"Try again in {max(1, round(retry_after))} seconds.")
        self.retry_after = retry_after


class TokenKeysUnusable(RegistryError, Unavailable):
    """The file of the keys that tokens are signed with cannot be used."""

    oci_code = "UNKNOWN"


class TokenRequestInvalid(RegistryError, InvalidInput):
    """A request for a token is malformed, or for another service."""

    oci_code = "UNSUPPORTED"


class QuotaExceeded(RegistryError, Forbidden):
    """A team's repositories would hold more than they may."""

    oci_code = "DENIED"


class IllegalMove(RegistryError, Conflict):
    """An image cannot go from its state to the wanted one."""


class ConditionFailed(RegistryError, Conflict):
    """What a reference names changed since the client looked, and it said that it minds."""

    oci_code = "DENIED"


class StorageFailed(RegistryError, Unavailable):
    """The disk is full or the object store does not answer."""

    oci_code = "TOOMANYREQUESTS"


class RemoteFailed(RegistryError, Unavailable):
    """Another registry does not answer, or answers what it should not."""

    oci_code = "UNKNOWN"


class RemoteDenied(RegistryError, Forbidden):
    """Another registry does not let us in."""

    oci_code = "DENIED"


class ContentMismatch(RegistryError, IntegrityFailure):
    """Content that came from elsewhere is not what its digest or size says."""

    oci_code = "DIGEST_INVALID"
