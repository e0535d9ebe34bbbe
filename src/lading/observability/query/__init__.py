"""Questions about what was kept, also of containers that are gone."""

from lading.observability.query.telemetry import LogRow, MetricRow, Telemetry, TelemetrySummary

__all__ = ["LogRow", "MetricRow", "Telemetry", "TelemetrySummary"]
