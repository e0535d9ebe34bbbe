"""The process tree of `lading up`: a supervisor and one process for each role.

    supervisor -> push | pull | api | worker

Each role is a process of its own, so that the pull endpoint can be read-only by construction and none can take another
down. Children die with the supervisor, whatever kills it.
"""
