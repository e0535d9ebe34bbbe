"""Carrying out responses. The evidence is in the incident before anything is done to the container."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from lading.kernel.errors import InvalidInput, LadingError
from lading.runtime_security.judge.incidents import Incident, Incidents
from lading.runtime_security.respond.control import ContainerControl

log = logging.getLogger(__name__)
ACTIONS: Final = ("alert", "pause", "isolate", "kill", "replace")

Replace = Callable[[Incident], str]


class ResponseSettings(NamedTuple):
    """Which actions follow: those of the rule, else those of the severity (its label), else only the alert.

    Unless somebody says otherwise Lading only alerts: a false alarm must not take a service down.
    """

    by_rule: Mapping[str, tuple[str, ...]] = {}
    by_severity: Mapping[str, tuple[str, ...]] = {}

    def actions(self, incident: Incident) -> tuple[str, ...]:
        """In the order they are taken; the alert always comes first."""
        chosen = self.by_rule.get(incident.rule, self.by_severity.get(incident.severity, ()))
        return ("alert", *(action for action in chosen if action != "alert"))

    def checked(self) -> ResponseSettings:
        """Itself; raises InvalidInput when it names an action that does not exist."""
        for where, actions in (*self.by_rule.items(), *self.by_severity.items()):
            for action in actions:
                if action not in ACTIONS:
                    raise InvalidInput(
                        f"{action!r}, set for {where}, is no response.", remedy=f"Responses are {', '.join(ACTIONS)}."
                    )
        return self


class Responses:
    """Responds to incidents, and states each action with its outcome.

    Args:
        replace: starts the replacement of the incident's container (a job of orchestration) and says what it did; None:
            replacing is not possible here.
    """

    def __init__(
        self,
        incidents: Incidents,
        control: ContainerControl,
        settings: ResponseSettings | None = None,
        replace: Replace | None = None,
    ) -> None:
        self._incidents = incidents
        self._control = control
        self._settings = (settings or ResponseSettings()).checked()
        self._replace = replace

    def respond(self, incident: Incident) -> None:
        """Take the actions set for `incident`; one that fails does not keep the next from being taken."""
        for action in self._settings.actions(incident):
            outcome = self._take(action, incident)
            log.warning(
                "incident",
                extra={"incident": incident.id, "title": incident.title, "action": action, "outcome": outcome},
            )
            self._incidents.responded(incident.id, action, outcome)

    def _take(self, action: str, incident: Incident) -> str:
        try:
            return self._act(action, incident)
        except LadingError as error:
            return f"failed: {error.what}"

    def _act(self, action: str, incident: Incident) -> str:
        if action == "pause":
            self._control.pause(incident.container)
        elif action == "kill":
            self._control.kill(incident.container)
        elif action == "isolate":
            networks = self._control.isolate(incident.container)
            return f"taken off {', '.join(networks) or 'no network'}"
        elif action == "replace":
            if self._replace is None:
                return "failed: nothing here can replace containers"
            return self._replace(incident)
        return "done"
