"""Statements that a flaw does not matter somewhere, or does (VEX): read, kept, and applied to findings.

OpenVEX or CycloneDX -> statements with scope, author and end -> findings set aside with their reason, never gone
"""
