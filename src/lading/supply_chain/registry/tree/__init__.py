"""The pull side as a tree of files that a static server serves: approved content only, and why the rest is refused.

    ledger -> following (keeper) -> what should be there (wanted) -> files, each changed at once (files)

The tree holds no state of its own: it is compared with the database whenever it may have missed something.
"""
