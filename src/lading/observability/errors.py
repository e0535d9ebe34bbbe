"""What goes wrong in observability."""

from __future__ import annotations

from typing import ClassVar

from lading.kernel.errors import ExitCode, LadingError


class ObservabilityError(LadingError):
    """The root of this domain's errors."""


class StoreUnavailable(ObservabilityError):
    """The telemetry store cannot be written or read (disk full, no permission, a second writer)."""

    code: ClassVar[str] = "unavailable"
    exit_code: ClassVar[ExitCode] = ExitCode.UNAVAILABLE


class SourceUnavailable(ObservabilityError):
    """The engine that logs and samples come from does not answer."""

    code: ClassVar[str] = "unavailable"
    exit_code: ClassVar[ExitCode] = ExitCode.UNAVAILABLE


class SourceGone(ObservabilityError):
    """The container is not there any more."""

    code: ClassVar[str] = "not_found"
    exit_code: ClassVar[ExitCode] = ExitCode.NOT_FOUND
