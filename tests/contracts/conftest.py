"""Contracts run over real engines too: the engine and the images of the integration tests, shared with them."""

from integration.conftest import docker_engine
from integration.orchestration.conftest import web_images

__all__ = ["docker_engine", "web_images"]
