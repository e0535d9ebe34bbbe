"""Follow a job in the terminal: one line a step, with the time since the start, then its result or its error."""

from __future__ import annotations

from typing import Any, Final

from rich.markup import escape

from lading.entrypoints.cli.client import ApiClient, ServerSaid
from lading.entrypoints.cli.output import Output, err, print_json

_STYLES: Final = {"info": "", "detail": "dim", "warning": "yellow", "error": "red", "done": "green"}


def follow_job(client: ApiClient, job: str, output: Output = Output.TABLE) -> dict[str, Any]:
    """Show the events of a job on standard error until it ends; returns its result.

    Raises:
        ServerSaid: the job failed or was interrupted.
    """
    step = ""
    for event in client.follow(job):
        if event["step"] != step:
            step = event["step"]
            err.print(f"[bold]{escape(step)}[/]")
        style = _STYLES.get(event.get("level", "info"), "")
        text = escape(event["text"])
        err.print(
            f"  [dim]{event.get('seconds', 0.0):7.1f} s[/]  {f'[{style}]{text}[/]' if style else text}", soft_wrap=True
        )
    ended = client.get(f"/api/v1/jobs/{job}")
    if output is Output.JSON:
        print_json({"job": job, "state": ended["state"], "result": ended.get("result"), "error": ended.get("error")})
    if ended.get("error"):
        raise ServerSaid(ended["error"])
    return dict(ended.get("result") or {})
