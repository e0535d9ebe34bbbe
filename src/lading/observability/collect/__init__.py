"""Reading what containers say and use, before they are gone."""

from lading.observability.collect.collector import Collector, Kept
from lading.observability.collect.sources import LogSource, RawLine, StatsSource, Usage, Watched

__all__ = ["Collector", "Kept", "LogSource", "RawLine", "StatsSource", "Usage", "Watched"]
