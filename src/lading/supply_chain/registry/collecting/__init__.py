"""Garbage collection, online: pushes and pulls go on, and what a push relies on is never taken from under it.

    links that no manifest needs -> dropped -> blobs that nothing links to -> row and content deleted together

The two halves of the promise: a push announces content before it stores it and checks in the transaction that names it
that it was not collected since (`registry`); a collection decides and deletes under locks on the very rows that such a
push would need (`sql`).
"""

from lading.supply_chain.registry.collecting.collection import (
    Collected,
    Collections,
    Deletion,
    Order,
    Progress,
)

__all__ = ["Collected", "Collections", "Deletion", "Order", "Progress"]
