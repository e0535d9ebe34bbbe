"""That everything can be had again: backups, their verification, restores, drills, and the schedule of all these.

Knows no other domain: what it copies and how it proves a copy comes through the ports in `ports`.

    take: hold -> snapshot of the database -> items it names -> sets of what is new -> point -> fact
    restore: point -> database -> sets, every digest checked -> ledger verified -> moved into place
"""
