"""The joined view: all that is known about one subject."""
