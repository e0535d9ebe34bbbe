"""What shall run: an application and its workloads, read from a Compose file, hardened by default."""
