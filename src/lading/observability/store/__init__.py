"""Where lines and samples are kept: immutable Parquet parts that one process writes and any process reads."""

from lading.observability.store.records import LogLine, LogQuery, Position, Sample, SampleQuery, StreamState
from lading.observability.store.telemetry_store import Expired, Expiring, TelemetryReader, TelemetryStore

__all__ = [
    "Expired",
    "Expiring",
    "LogLine",
    "LogQuery",
    "Position",
    "Sample",
    "SampleQuery",
    "StreamState",
    "TelemetryReader",
    "TelemetryStore",
]
