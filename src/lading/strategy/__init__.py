"""Which capability is covered by what, on evidence that was really seen.

catalogue (what a container strategy must do) + evidence (facts that show it being done) -> coverage, gaps, duplicates
"""
