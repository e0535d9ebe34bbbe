"""What can go wrong while an image is built."""

from __future__ import annotations

from lading.kernel.errors import InvalidInput, LadingError, NotFound, Unavailable


class BuildError(LadingError):
    """The root of this room's errors."""

    code = "build"


class DockerfileInvalid(BuildError, InvalidInput):
    """A Dockerfile cannot be read; names file and line."""

    code = "dockerfile_invalid"


class SourceInvalid(BuildError, InvalidInput):
    """A source directory or archive is not what can be built from."""

    code = "source_invalid"


class BaseUnknown(BuildError, NotFound):
    """A FROM names an image that the registry does not have and no mirror brings."""

    code = "base_unknown"


class BuildFailed(BuildError):
    """A step of the Dockerfile failed; the details are the last lines of its output."""

    code = "build_failed"


class BuilderUnavailable(BuildError, Unavailable):
    """The builder does not answer, or stopped answering in the middle of a build."""

    code = "builder_unavailable"


class BuildArgumentInvalid(BuildError, InvalidInput):
    """A build argument has a name that cannot be used."""

    code = "build_argument_invalid"
