"""The registry: what is pushed, who pushed it, in which state it is, and what may be pulled.

Blobs (bytes by digest) <- Registry (names, tags, manifests, referrers) <- push endpoint
                           Reading  (the read-only half)                <- pull endpoint
ImageStates: quarantined -> approved -> revoked
"""
