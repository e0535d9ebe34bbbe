"""The columns of the parts: records to Arrow tables, ordered so that one container's rows lie together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from lading.observability.store.records import LogLine, Sample

_NAMES: Final = pa.dictionary(pa.int32(), pa.string())
_WHOSE: Final = [("container", _NAMES), ("name", _NAMES), ("workload", _NAMES), ("application", _NAMES)]
LOG_SCHEMA: Final = pa.schema(
    [
        *_WHOSE,
        ("stream", _NAMES),
        ("at", pa.int64()),
        ("seq", pa.int32()),
        ("line", pa.string()),
        ("truncated", pa.bool_()),
    ]
)
SAMPLE_SCHEMA: Final = pa.schema(
    [
        *_WHOSE,
        ("at", pa.int64()),
        ("cpu_seconds_total", pa.float64()),
        ("cpu_percent", pa.float64()),
        ("memory_bytes", pa.int64()),
        ("memory_limit", pa.int64()),
        ("rx_bytes", pa.int64()),
        ("tx_bytes", pa.int64()),
        ("pids", pa.int64()),
        ("restarts", pa.int64()),
    ]
)
_ROW_GROUP: Final = 65_536
# Appending must keep up with floods; what is compacted is kept for days.
FAST: Final = 3
SMALL: Final = 9


def log_table(lines: Sequence[LogLine]) -> Any:
    """Lines as a table, by container and time."""
    ordered = sorted(lines, key=lambda one: (one.container, one.at, one.seq))
    return _table(ordered, LOG_SCHEMA)


def sample_table(samples: Sequence[Sample]) -> Any:
    """Samples as a table, by container and time."""
    ordered = sorted(samples, key=lambda one: (one.container, one.at))
    return _table(ordered, SAMPLE_SCHEMA)


def merged(paths: Sequence[Path]) -> Any:
    """The rows of several parts as one table, by container and time."""
    table = pa.concat_tables([pq.read_table(path, partitioning=None) for path in paths]).unify_dictionaries()
    order = [("container", "ascending"), ("at", "ascending")]
    if "seq" in table.column_names:
        order.append(("seq", "ascending"))
    # Arrow sorts dictionaries by their words only after decoding.
    index = table.column_names.index("container")
    plain = table.set_column(index, "container", table.column("container").cast(pa.string()))
    return plain.sort_by(order)


def write_part(table: Any, path: Path, *, level: int = FAST) -> None:
    """Write a table as one Parquet file, compressed with zstd at `level`."""
    encoding = {"at": "DELTA_BINARY_PACKED"}
    if "line" in table.column_names:
        encoding |= {"seq": "DELTA_BINARY_PACKED", "line": "DELTA_LENGTH_BYTE_ARRAY"}
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=level,
        column_encoding=encoding,
        row_group_size=_ROW_GROUP,
        use_dictionary=["container", "name", "workload", "application", "stream"],
        write_statistics=True,
        store_schema=False,
    )


def _table(records: Sequence[LogLine] | Sequence[Sample], schema: Any) -> Any:
    columns = list(zip(*records, strict=True))
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
