"""The console's routes: pages, the parts of them that refresh, live events, login."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from lading.entrypoints.api.errors import status_of
from lading.entrypoints.api.routes.findings import Form, exported
from lading.entrypoints.web import session
from lading.entrypoints.web.data import ConsoleData
from lading.entrypoints.web.oidc import BACK, BEGIN, OidcPages
from lading.entrypoints.web.pages import HEADERS, render
from lading.kernel.errors import InvalidInput, LadingError, NotFound, Unauthenticated
from lading.wiring import Wiring

_STATIC: Final = Path(__file__).parent / "static"
_EVENT_SECONDS: Final = 1.0
_EVENT_ROUNDS: Final = 25
_MOST_FORM: Final = 16_384
_ENTRY: Final = re.compile(r"[0-9]{1,18}")
View = Callable[[ConsoleData, Request], dict[str, Any]]


def mount_console(app: FastAPI, parts: Wiring) -> None:
    """Add the console to the API's application, at /."""
    console, oidc = _Console(parts), OidcPages(parts)
    pages: list[tuple[str, str, View]] = [
        ("/", "overview", lambda data, _request: data.overview()),
        ("/images", "images", lambda data, request: data.registry.images(request)),
        ("/repositories", "repositories", lambda data, request: data.registry.repositories(request)),
        ("/repositories/{repository:path}", "repository", lambda data, request: data.registry.repository(request)),
        ("/layers/{digest}", "layer", lambda data, request: data.registry.layer(request)),
        ("/images/{digest}", "image", lambda data, request: data.image(request.path_params["digest"])),
        ("/workloads", "workloads", lambda data, _request: {"workloads": data.workloads()}),
        ("/workloads/{application}/{service}", "workload", _workload),
        ("/bill/{subject:path}", "bill", lambda data, request: data.bill(request.path_params["subject"])),
        ("/incidents", "incidents", _incidents),
        (
            "/incidents/{incident}",
            "incident",
            lambda data, request: {"incident": data.incident(request.path_params["incident"])},
        ),
        ("/findings", "findings", lambda data, request: data.findings.findings(request)),
        ("/findings/history", "history", lambda data, request: data.findings.history(request)),
        ("/flaws/{name}", "flaw", lambda data, request: data.findings.flaw(request)),
        ("/packages/{name:path}", "package", lambda data, request: data.findings.package(request)),
        ("/exceptions", "exceptions", lambda data, request: data.findings.exceptions(request)),
        ("/strategy", "strategy", lambda data, _request: data.strategy()),
    ]
    for path, name, view in pages:
        app.router.routes.append(Route(path, console.page(name, view), methods=["GET"]))
    for path, handler, methods in (
        ("/find", console.find, ["GET"]),
        ("/login", console.login, ["GET", "POST"]),
        (BEGIN, oidc.begin, ["GET"]),
        (BACK, oidc.back, ["GET"]),
        ("/logout", console.logout, ["POST"]),
        ("/incidents/{incident}/close", console.close, ["POST"]),
        ("/flaws/{name}/except", console.grant, ["POST"]),
        ("/exceptions/{exception}/end", console.withdraw, ["POST"]),
        ("/findings/export", console.export, ["GET"]),
        ("/console/events", console.events, ["GET"]),
        ("/console/metrics/{application}/{service}", console.metrics, ["GET"]),
    ):
        app.router.routes.append(Route(path, handler, methods=methods))
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")


def _workload(data: ConsoleData, request: Request) -> dict[str, Any]:
    name = f"{request.path_params['application']}/{request.path_params['service']}"
    return data.bill(name) | {"name": name, "logs": data.logs(name)}


def _incidents(data: ConsoleData, request: Request) -> dict[str, Any]:
    every = request.query_params.get("all", "") == "1"
    return {"incidents": data.incidents(every=every), "every": every}


class _Console:
    def __init__(self, parts: Wiring) -> None:
        self._parts = parts

    def page(self, name: str, view: View) -> Callable[[Request], Awaitable[Response]]:
        """A handler that shows one page, or why it cannot be shown."""

        def make(request: Request) -> Response:
            try:
                viewer = session.viewer(request, self._parts)
                context = view(ConsoleData(self._parts, viewer), request)
                return render(name, context | {"viewer": viewer.id, "path": request.url.path})
            except Unauthenticated:
                wanted = quote(str(request.url.path))
                return RedirectResponse(f"/login?to={wanted}", 303, HEADERS)
            except (LadingError, StopIteration) as error:
                shown = error if isinstance(error, LadingError) else NotFound("There is no such thing.")
                return render("error", {"error": shown, "viewer": "", "path": ""}, status_of(shown))

        async def handle(request: Request) -> Response:
            return await run_in_threadpool(make, request)

        return handle

    async def find(self, request: Request) -> Response:
        """The bill of what was typed."""
        return RedirectResponse(f"/bill/{quote(request.query_params.get('q', '')[:300].strip())}", 303, HEADERS)

    async def login(self, request: Request) -> Response:
        to = request.query_params.get("to", "/")
        if request.method == "GET":
            return self._login(to)
        form = await _form(request)
        try:
            session.same_origin(request)
            return await run_in_threadpool(session.log_in, self._parts, form.get("token", ""), to)
        except LadingError as error:
            return self._login(to, error)

    def _login(self, to: str, error: LadingError | None = None) -> Response:
        provider = urlsplit(self._parts.settings.oidc_issuer).netloc
        shown = {"to": to, "error": error, "viewer": "", "path": "", "provider": provider}
        return render("login", shown, status_of(error) if error else 200)

    async def logout(self, request: Request) -> Response:
        try:
            session.same_origin(request)
        except LadingError as error:
            return render("error", {"error": error, "viewer": "", "path": ""}, status_of(error))
        return await run_in_threadpool(session.log_out, request, self._parts)

    async def close(self, request: Request) -> Response:
        """Close an incident and show the list again."""
        form = await _form(request)

        def act() -> Response:
            try:
                session.same_origin(request)
                viewer = session.viewer(request, self._parts)
                why = form.get("why", "").strip()
                if len(why) < 3:
                    raise InvalidInput("Say why the incident is over.", remedy="A few words are enough.")
                ConsoleData(self._parts, viewer).close_incident(request.path_params["incident"], why[:1_000])
            except LadingError as error:
                return render("error", {"error": error, "viewer": "", "path": ""}, status_of(error))
            return RedirectResponse("/incidents", 303, HEADERS)

        return await run_in_threadpool(act)

    async def grant(self, request: Request) -> Response:
        """Except a flaw from a rule and show the flaw again."""
        form, name = await _form(request), request.path_params["name"]
        return await run_in_threadpool(
            self._change, request, lambda data: data.findings.grant(name, form), f"/flaws/{quote(name)}"
        )

    async def withdraw(self, request: Request) -> Response:
        """End an exception and show the others."""
        name = request.path_params["exception"]
        return await run_in_threadpool(self._change, request, lambda data: data.findings.withdraw(name), "/exceptions")

    def _change(self, request: Request, act: Callable[[ConsoleData], None], to: str) -> Response:
        """Do what a form of this console asks for."""
        try:
            session.same_origin(request)
            act(ConsoleData(self._parts, session.viewer(request, self._parts)))
        except LadingError as error:
            return render("error", {"error": error, "viewer": "", "path": ""}, status_of(error))
        return RedirectResponse(to, 303, HEADERS)

    async def export(self, request: Request) -> Response:
        """The list of an address as a file."""

        def begin() -> Response:
            try:
                viewer = session.viewer(request, self._parts)
                form: Form = "jsonl" if request.query_params.get("form") == "jsonl" else "csv"
                rows = ConsoleData(self._parts, viewer).findings.every(request)
                return exported(form, rows)
            except LadingError as error:
                return render("error", {"error": error, "viewer": "", "path": ""}, status_of(error))

        return await run_in_threadpool(begin)

    async def metrics(self, request: Request) -> Response:
        """Samples of a workload, as columns for the charts."""
        name = f"{request.path_params['application']}/{request.path_params['service']}"

        def read() -> Response:
            try:
                viewer = session.viewer(request, self._parts)
                return JSONResponse(ConsoleData(self._parts, viewer).metrics(name), headers=HEADERS)
            except LadingError as error:
                return JSONResponse({"error": error.what}, status_of(error), HEADERS)

        return await run_in_threadpool(read)

    async def events(self, request: Request) -> Response:
        """Server-sent events: the number of the last entry whenever it changed.

        A client that reconnects says which it saw last, so it misses nothing that happened in between.
        """
        try:
            viewer = await run_in_threadpool(session.viewer, request, self._parts)
        except LadingError as error:
            return JSONResponse({"error": error.what}, status_of(error), HEADERS)
        data = ConsoleData(self._parts, viewer)

        async def stream() -> AsyncIterator[bytes]:
            seen = request.headers.get("last-event-id", "")
            known = int(seen) if _ENTRY.fullmatch(seen) else await run_in_threadpool(data.head)
            yield f"retry: 1000\nid: {known}\n\n".encode()
            for _ in range(_EVENT_ROUNDS):
                await asyncio.sleep(_EVENT_SECONDS)
                head = await run_in_threadpool(data.head)
                if head != known:
                    known = head
                    yield f"event: ledger\nid: {head}\ndata: {head}\n\n".encode()

        return StreamingResponse(stream(), headers=HEADERS, media_type="text/event-stream")


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small urlencoded form; raises InvalidInput for anything larger."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_FORM:
            return {}
    return {key: values[0] for key, values in parse_qs(body.decode(errors="replace")).items()}
