"""The engine and the ingress of one Lading: found, started and stopped as its settings say."""

from __future__ import annotations

from collections.abc import Callable

from lading.kernel.errors import LadingError
from lading.orchestration.engines.docker.detect import find_engine
from lading.orchestration.engines.docker.engine import DockerEngine
from lading.orchestration.engines.docker.install import can_install, install_engine, is_installed
from lading.orchestration.engines.docker.private import PrivateEngine
from lading.orchestration.ingress.caddy import CaddyIngress
from lading.settings import Settings

Say = Callable[[str], None]


def ready_engine(settings: Settings, say: Say) -> str:
    """The address of an engine that answers; empty when there is none and none can be started.

    A private engine that runs already is preferred: what this Lading started is on it.

    Raises:
        EngineUnavailable: a private engine cannot be installed or started.
    """
    private = PrivateEngine(settings.data / "engine")
    if settings.engine:
        return _found(settings.engine, say)
    if private.is_running():
        return private.ensure(say).address
    if (found := find_engine()) is not None:
        say(f"using the Docker Engine {found.version} at {found.address}")
        return found.address
    if not settings.private_engine:
        say("no Docker Engine answers: images can be pushed and judged, but nothing can be built or run")
        return ""
    if not is_installed():
        if not can_install():
            say("no Docker Engine answers and none can be installed: nothing can be built or run")
            return ""
        install_engine(say)
    return private.ensure(say).address


def ingress_of(settings: Settings) -> CaddyIngress:
    """The ingress of this data directory."""
    return CaddyIngress(settings.data / "ingress", settings.data / "tools")


def stop_ingress(settings: Settings, say: Say) -> None:
    """Stop the ingress if it runs."""
    ingress_of(settings).stop(say)


def stop_engine(settings: Settings, say: Say) -> None:
    """Stop the private engine if it runs; any other engine is left alone."""
    PrivateEngine(settings.data / "engine").stop(say)


def remove_everything(settings: Settings, say: Say) -> None:
    """Remove the containers, networks and volumes of this Lading from its engine."""
    private = PrivateEngine(settings.data / "engine")
    if private.is_running():
        return  # they go with its data root
    found = find_engine(settings.engine)
    if found is None:
        return
    engine = DockerEngine(found.address)
    try:
        for item in engine.observe():
            say(f"removing {item.name}")
            engine.remove(item.name)
        engine.remove_all_resources()
    except LadingError as error:
        say(f"could not remove everything: {error}")


def _found(address: str, say: Say) -> str:
    found = find_engine(address)
    if found is None:
        say(f"the Docker Engine at {address} does not answer yet: nothing can be built or run until it does")
    return address
