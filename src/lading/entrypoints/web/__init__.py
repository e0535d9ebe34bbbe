"""The web console: what matters first, one page for each thing, live, in a dark and a light theme.

Pages are plain HTML that works without JavaScript; htmx refreshes parts of them when the ledger grows.
"""
