"""Secrets that somebody left in an image: what they look like, where they are, and never what they are.

content in pieces -> prefilter (all forms at once, linear time) -> form (pattern, checksum, plausibility) -> Found

Pure: bytes come in, places go out. `inventory` feeds it while it reads a layer and decides at merging whose the files
are; `checks` looks into what an image tells an engine, and makes weaknesses of both.
"""
