"""Scopes of the token flow: what a client asks a token for (distribution, "Token Scope Documentation").

    repository:shop/web:pull,push    registry:catalog:*

What is asked comes from strangers: it is read to the end or left out, and never more than thirty of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from lading.kernel.reference import is_repository_name
from lading.supply_chain.registry.access import ANONYMOUS, Access, Authenticator, Place, Scopes, Visitor

CATALOGUE: Final = "registry:catalog:*"
_MOST: Final = 30
_MOST_TEXT: Final = 8_192
_EVERY: Final = "*"
_ORDER: Final = (Access.PULL, Access.PUSH, Access.DELETE)


class Places(Protocol):
    """Where a repository is looked up."""

    def place(self, repository: str) -> Place:
        """The repository, whether it exists or not; raises NameInvalid."""
        ...


def granted(asked: Scopes, visitor: Visitor, authenticator: Authenticator, places: Places) -> Scopes:
    """What of the scopes that were asked for a visitor may have now.

    A repository for which nothing is granted stays in with no action: the answer does not say whether it exists.
    """
    repositories = {}
    for name, actions in asked.repositories.items():
        place = places.place(name)
        allowed = {one for one in actions if authenticator.may(visitor, one, place)}
        if Access.PUSH in allowed:
            # A name that belongs to nobody yet cannot be pulled from, and can by the time the push looks for its blobs.
            allowed |= actions & {Access.PULL}
        repositories[name] = frozenset(allowed)
    return Scopes(repositories, asked.catalogue and visitor.principal != ANONYMOUS.principal)


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


def write_scopes(scopes: Scopes) -> str:
    """All that was granted, between spaces."""
    words = [write_scope(name, actions) for name, actions in sorted(scopes.repositories.items()) if actions]
    return " ".join([*words, CATALOGUE] if scopes.catalogue else words)


def _actions(text: str) -> frozenset[Access]:
    known = {str(access): access for access in Access}
    asked = text.split(",")
    return frozenset(Access) if _EVERY in asked else frozenset(known[word] for word in asked if word in known)
