"""What can go wrong where containers run."""

from __future__ import annotations

from lading.kernel.errors import InvalidInput, LadingError, Unavailable


class OrchestrationError(LadingError):
    """The root of this domain's errors."""

    code = "orchestration"


class EngineUnavailable(OrchestrationError, Unavailable):
    """No container engine answers, or the one in use stopped answering."""

    code = "engine_unavailable"


class ComposeInvalid(OrchestrationError, InvalidInput):
    """A Compose file does not say something Lading can carry out."""

    code = "compose_invalid"


class RolloutFailed(OrchestrationError):
    """A new version did not become healthy; the old one still serves."""

    code = "rollout_failed"
