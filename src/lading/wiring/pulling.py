"""The pull endpoint's parts: a read-only database, readers, and nothing that writes but a spool of refusals."""

from __future__ import annotations

from pathlib import Path

from lading.facts import Ledger
from lading.identity import Identity
from lading.settings import Settings
from lading.state import Database
from lading.state.freshness import Freshness
from lading.supply_chain.registry.calls import CallNotes
from lading.supply_chain.registry.content import Content
from lading.supply_chain.registry.mirroring.awaiting import Awaiting
from lading.supply_chain.registry.mirroring.channel import WishSender
from lading.supply_chain.registry.reading import Reading
from lading.supply_chain.registry.serving import Serving
from lading.supply_chain.registry.spool import PullNotes
from lading.supply_chain.registry.standing import StateReader
from lading.supply_chain.registry.tree.beat import BeatReader
from lading.wiring.access import IdentityAuthenticator, open_tokens
from lading.wiring.content import open_content, open_redirects


class PullWiring:
    """What `pull_app` is made of."""

    def __init__(self, settings: Settings) -> None:
        database = Database(settings.database, read_only=True)
        content: Content = open_content(settings)
        self.serving = Serving(database, Reading(database, content), StateReader(database), settings.index_platforms)
        self.tokens = open_tokens(settings)
        self.authenticator = IdentityAuthenticator(
            Identity(database, Ledger()), anonymous=settings.anonymous_pull, tokens=self.tokens
        )
        self.freshness = freshness(database)
        self.redirects = open_redirects(settings)
        directory = settings.tree_directory
        self.tree = BeatReader(directory) if directory is not None else None
        self.notes = PullNotes(spool_directory(settings))
        self.awaiting = Awaiting(database)
        self.wishes = WishSender(channel_directory(settings))
        self.calls = CallNotes(spool_directory(settings), "pull")


def freshness(database: Database) -> Freshness:
    """Whether anything was stated in the ledger since somebody last looked; looks already."""
    ledger = Ledger()
    made = Freshness(database, lambda tx: ledger.head(tx).seq)
    made.start()
    return made


def channel_directory(settings: Settings) -> Path:
    """Where the pull endpoint says what is wanted of upstreams."""
    return settings.data / "run"


def spool_directory(settings: Settings) -> Path:
    """Where refused pulls wait to be taken into the ledger."""
    return settings.data / "spool"
