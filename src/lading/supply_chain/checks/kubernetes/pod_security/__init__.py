"""The Pod Security Standards, control by control: what `baseline` forbids, and what `restricted` demands beyond it.

The controls are those of Kubernetes 1.37, the newest of a control where it changed.
"""
