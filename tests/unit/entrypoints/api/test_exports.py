"""Exports of lists: what a spreadsheet would calculate is a text, and every row is there."""

from __future__ import annotations

import asyncio
import csv
import io
import json

import msgspec
import pytest

from lading.entrypoints.api.routes.findings import Form, exported
from lading.lifecycle.findings import Row, columns

ROW = Row(
    id="CVE-2099-0001", aliases=("GHSA-1",), severity="high", score=7.5, epss=0.1, exploited=False, running=True,
    fixable=True, seen="2026-11-26T00:00:00Z", summary='=HYPERLINK("http://x.example")', ecosystems=("npm",),
    packages=("@scope/one 1", "b 2"), fixes=("@scope/one 2",), images=3, teams=("shop",), owners=("-team",),
)  # fmt: skip


def content(form: Form, rows: list[Row]) -> str:
    response = exported(form, iter(rows))

    async def read() -> bytes:
        return b"".join([bytes(piece) async for piece in response.body_iterator])

    assert response.headers["content-disposition"] == f'attachment; filename="findings.{form}"'
    return asyncio.run(read()).decode()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_every_row_is_there(count: int) -> None:
    assert len(list(csv.reader(io.StringIO(content("csv", [ROW] * count))))) == count + 1
    assert len(content("jsonl", [ROW] * count).splitlines()) == count


def test_no_cell_is_a_formula() -> None:
    header, cells = csv.reader(io.StringIO(content("csv", [ROW])))
    assert header == list(columns())
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    assert dict(zip(header, cells, strict=True))["packages"] == "'@scope/one 1; b 2"


def test_json_keeps_texts_as_they_are() -> None:
    assert msgspec.convert(json.loads(content("jsonl", [ROW])), Row) == ROW
