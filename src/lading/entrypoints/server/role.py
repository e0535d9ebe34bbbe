"""One role of the server as a process: `python -m lading.entrypoints.server.role push|pull|api|worker|intake`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

from granian.constants import Interfaces, SSLProtocols
from granian.server.embed import Server

from lading import settings as settings_module
from lading.entrypoints.server import log
from lading.entrypoints.server.lifeline import die_with_parent
from lading.kernel.errors import LadingError
from lading.settings import Address, Settings

PARENT_VARIABLE: Final = "LADING_SUPERVISOR_PID"
_BACKLOG: Final = 1024


async def serve(app: Any, address: Address, tls: tuple[Path, Path] | None = None) -> None:
    """Serve an ASGI application on `address` until SIGTERM or SIGINT; requests under way are finished.

    Args:
        tls: certificate chain and private key in PEM files; None to serve without TLS.
    """
    server = Server(
        app,
        address=address.host,
        port=address.port,
        interface=Interfaces.ASGI,
        backlog=_BACKLOG,
        log_enabled=False,
        websockets=False,
        ssl_cert=tls[0] if tls else None,
        ssl_key=tls[1] if tls else None,
        ssl_protocol_min=SSLProtocols.tls12,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server.serve()


def _limited(app: Any, settings: Settings, calls: Any) -> Any:
    """A registry endpoint that says when somebody asks too often; itself where nothing is limited."""
    from lading.entrypoints.registry.limits import Limits

    if not settings.principal_calls and not settings.address_calls:
        return app
    return Limits(app, settings.principal_calls, settings.address_calls, calls)


def _behind(app: Any, settings: Settings) -> Any:
    """An application that knows which proxies stand before it; itself where none does."""
    from lading.entrypoints.server.proxies import BehindProxies

    return BehindProxies(app, settings.trusted_proxies) if settings.trusted_proxies else app


def _push(settings: Settings) -> None:
    from lading.entrypoints.registry.hot import HotAnswers
    from lading.entrypoints.registry.push import push_app
    from lading.supply_chain.registry.calls import CallNotes
    from lading.wiring import Wiring
    from lading.wiring.pulling import freshness

    wiring = Wiring(settings)
    fresh = freshness(wiring.database)
    calls = CallNotes(wiring.spool, "push")
    app = HotAnswers(push_app(wiring.registry, wiring.authenticator, wiring.tokens, calls), fresh)
    try:
        app = _behind(_limited(app, settings, calls), settings)
        asyncio.run(serve(app, settings.push_addr, settings.tls))
    finally:
        calls.close()


def _pull(settings: Settings) -> None:
    from lading.entrypoints.registry.hot import HotAnswers
    from lading.entrypoints.registry.mirrored import MirroredPulls
    from lading.entrypoints.registry.pull import pull_app
    from lading.wiring.pulling import PullWiring

    parts = PullWiring(settings)
    upstreams = MirroredPulls(
        parts.awaiting,
        parts.wishes.send,
        patience=settings.mirror_wait_seconds,
        patience_here=settings.mirror_stale_seconds,
    )
    pulls = pull_app(
        parts.serving,
        parts.authenticator,
        parts.notes,
        upstreams,
        tokens=parts.tokens,
        calls=parts.calls,
        redirects=parts.redirects,
        tree=parts.tree,
    )
    app = _limited(HotAnswers(pulls, parts.freshness), settings, parts.calls)
    try:
        asyncio.run(serve(_behind(app, settings), settings.pull_addr, settings.tls))
    finally:
        parts.calls.close()
        parts.notes.close()


def _api(settings: Settings) -> None:
    from lading.entrypoints.api.app import api_app
    from lading.wiring import Wiring

    wiring = Wiring(settings)
    try:
        asyncio.run(serve(_behind(api_app(wiring), settings), settings.api_addr))
    finally:
        wiring.identity.flush()


def _worker(settings: Settings) -> None:
    from lading.entrypoints.worker.worker import Worker
    from lading.wiring import Wiring

    Worker(Wiring(settings)).run(_until_told())


def _intake(settings: Settings) -> None:
    from lading.entrypoints.worker.intake import Intake
    from lading.entrypoints.worker.mirroring import MirrorEar
    from lading.entrypoints.worker.threads import Threads
    from lading.wiring import Wiring

    stop, wiring = _until_told(), Wiring(settings)
    threads = Threads(stop)
    threads.start("intake", Intake(wiring).run)
    threads.start("mirror-ear", MirrorEar(wiring).run)
    if wiring.tree is not None:
        threads.start("tree", wiring.tree.keeper().run)
    stop.wait()
    threads.join()


def _until_told() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop


# Roles import what they need when they run: the pull endpoint never loads code that writes.
ROLES: Final = {"push": _push, "pull": _pull, "api": _api, "worker": _worker, "intake": _intake}


def roles_of(settings: Settings) -> tuple[str, ...]:
    """What runs on this host, in the order of starting: a worker takes notes in itself, other hosts need an intake."""
    alone = {"push", "pull"} & set(settings.roles) and "worker" not in settings.roles
    return settings.roles + (("intake",) if alone else ())


def main() -> int:
    """Run the role named by the first argument."""
    role = sys.argv[1]
    if parent := os.environ.get(PARENT_VARIABLE):
        die_with_parent(int(parent))
    loaded = settings_module.load()
    log.configure(role, loaded.log_level)
    try:
        ROLES[role](loaded)
    except LadingError as error:
        sys.stderr.write(f"{role}: {error}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
