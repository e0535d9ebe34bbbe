"""Scopes of the token flow: what a client asks a token for (distribution, "Token Scope Documentation").

    repository:shop/web:pull,push    registry:catalog:*

What is asked comes from strangers: it is read to the end or left out, and never more than a hundred of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lading.kernel.reference import is_repository_name
from lading.supply_chain.registry.access import Access, Scopes

CATALOGUE: Final = "registry:catalog:*"
_MOST: Final = 100
_MOST_TEXT: Final = 8_192
_EVERY: Final = "*"
_ORDER: Final = (Access.PULL, Access.PUSH, Access.DELETE)


def read_scopes(texts: Iterable[str]) -> Scopes:
    """The scopes in some parameters, each of which may hold several between spaces. What is no scope of ours counts
    as not asked for."""
    repositories: dict[str, frozenset[Access]] = {}
    catalogue = False
    words = [word for text in texts for word in text[:_MOST_TEXT].split(" ")]
    for word in words[:_MOST]:
        kind, _, rest = word.partition(":")
        name, _, actions = rest.rpartition(":")
        if word == CATALOGUE:
            catalogue = True
        elif kind == "repository" and is_repository_name(name):
            repositories[name] = repositories.get(name, frozenset()) | _actions(actions)
    return Scopes(repositories, catalogue)


def write_scope(repository: str, actions: Iterable[Access]) -> str:
    """The scope that a challenge names."""
    return f"repository:{repository}:{','.join(sorted(actions, key=_ORDER.index))}"


def _actions(text: str) -> frozenset[Access]:
    known = {str(access): access for access in Access}
    asked = text.split(",")
    return frozenset(Access) if _EVERY in asked else frozenset(known[word] for word in asked if word in known)
