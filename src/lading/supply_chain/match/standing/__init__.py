"""How flaws stand: for which teams, in whose layers, whether in what runs, and since when; kept so that lists are read
from an index, however many images there are.

    matching, pushes, containers -> stale -> keeping (worker) -> standing, spells -> asking (API, console)
"""
