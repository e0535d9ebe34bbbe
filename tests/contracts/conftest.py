"""Contracts run over real engines too: the engine of the integration tests, shared with them."""

from integration.conftest import docker_engine

__all__ = ["docker_engine"]
