"""Copies of other registries, brought when somebody asks or when it is time.

    pull endpoint (reads only) -> channel -> wishes (one row for each image) -> bringing -> registry, in quarantine
              ^                              ^                                     |
              |            schedule, builds -'                    lifecycle/mirror judges, then moves the tag
              '---- awaiting: what became of the wish, and what is served meanwhile

`upstream` says what a name here is called there and whether it may be asked for; `health` when an upstream may be asked
at all. Decision 0080 says why it is cut this way.
"""
