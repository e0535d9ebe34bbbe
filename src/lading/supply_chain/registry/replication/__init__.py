"""Copies of the registry in other Lading regions, and pushes to any OCI registry.

    facts -> planning -> items (lanes) -> sending -> | region API: changes, signed      | -> receiving -> registers
                                                     | OCI distribution: blobs, images  |

What has to be sent is derived from the ledger: each target has a cursor over it, and `planning` turns facts into items
that only name what changed. `sending` looks up how that thing is *now* and sends it; revocations have a lane and a
connection of their own and wait for nobody. `receiving` takes over what another region says, by the rule in `stamps`.
Everything may be killed at any point: an item goes only when its target has it, and taking a change over twice changes
nothing. Decisions 0072 and 0073 say why.
"""
