"""Releases past their end: distributions and runtimes for which nobody publishes fixes any more, or soon will not."""

from lading.supply_chain.checks.support.calendar import Calendar, read_calendar
from lading.supply_chain.checks.support.ending import SupportCheck, support_weaknesses

__all__ = ["Calendar", "SupportCheck", "read_calendar", "support_weaknesses"]
