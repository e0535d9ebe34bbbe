"""Which capability is covered by what, on live evidence: catalogue, evidence, analyse."""
