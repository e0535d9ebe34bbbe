"""Whose signatures count: the keys that Lading signs with or signed with, and those of others that somebody trusted.

Before it: people, and the key that a server starts with. After it: verification, which believes these keys and no
others, and the ledger, whose checkpoints are by keys of ours.
"""
