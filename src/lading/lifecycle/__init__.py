"""The stories that cross domains, one file each."""
