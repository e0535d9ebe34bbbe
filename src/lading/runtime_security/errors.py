"""What goes wrong in runtime security."""

from __future__ import annotations

from typing import ClassVar

from lading.kernel.errors import ExitCode, LadingError


class RuntimeSecurityError(LadingError):
    """The root of this domain's errors."""


class EngineSilent(RuntimeSecurityError):
    """The engine does not answer, so nothing can be said about its containers."""

    code: ClassVar[str] = "unavailable"
    exit_code: ClassVar[ExitCode] = ExitCode.UNAVAILABLE


class ContainerGone(RuntimeSecurityError):
    """The container is not there any more."""

    code: ClassVar[str] = "not_found"
    exit_code: ClassVar[ExitCode] = ExitCode.NOT_FOUND


class ImageNotIndexed(RuntimeSecurityError):
    """The files of an image are not known, so drift from it cannot be seen."""

    code: ClassVar[str] = "unavailable"
    exit_code: ClassVar[ExitCode] = ExitCode.UNAVAILABLE


class ResponseFailed(RuntimeSecurityError):
    """A response to an incident could not be carried out."""
