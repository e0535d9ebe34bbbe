"""What follows an incident: alert, pause, isolate, kill or replace, as it is set for rules and severities."""

from lading.runtime_security.respond.control import ContainerControl
from lading.runtime_security.respond.responder import ACTIONS, Responses, ResponseSettings

__all__ = ["ACTIONS", "ContainerControl", "ResponseSettings", "Responses"]
