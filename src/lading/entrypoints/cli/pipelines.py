"""Decisions of the server in the forms that pipelines read: SARIF and JUnit, to standard output or a file."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from lading.entrypoints.cli.client import ApiClient
from lading.entrypoints.cli.scans import emit
from lading.supply_chain.report.merging import merge_junit, merge_sarif


class PipelineOutput(StrEnum):
    """The forms that a ship or a decision can be printed in."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"


PipelineOption = Annotated[PipelineOutput, typer.Option("--output", "-o", help="Form of the result.")]
OutputFileOption = Annotated[
    Path | None, typer.Option("--output-file", help="File to write SARIF or JUnit to, not standard output.")
]
FORMS: Final = (PipelineOutput.SARIF, PipelineOutput.JUNIT)


def fetched(client: ApiClient, paths: Sequence[str], form: PipelineOutput) -> bytes:
    """What several addresses of the API say in a form, as one document."""
    answers = [client.get(path, form=form.value) for path in paths]
    if form is PipelineOutput.JUNIT:
        return merge_junit([answer.encode() for answer in answers])
    return merge_sarif([msgspec.json.encode(answer) for answer in answers])


def publish(client: ApiClient, paths: Sequence[str], form: PipelineOutput, file: Path | None) -> None:
    """Write what several addresses say, where it shall go; nothing when there are none."""
    if paths:
        emit(fetched(client, paths, form), file)
